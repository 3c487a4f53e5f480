"""Run a search from its plan to its last line: this module connects the parts."""

from __future__ import annotations

import logging
import math
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace

import numpy as np

from search.cli import output
from search.cli.progress import Progress
from search.cli.signals import StopOnSignal
from search.cluster.pruning import ENDED, RungRecord, RungScheduler
from search.cluster.resources import Resources
from search.cluster.searcher import TrialSearcher
from search.cluster.tuner import train
from search.errors import FAILED, INTERRUPTED
from search.files import durable, locks
from search.files.home import OWN, is_full
from search.spaces.goals import PARAMETERS, known_before
from search.spaces.pipeline import Scalar
from search.study import samplers, study as studies
from search.study.known import Known
from search.study.storage import RDBStorage, open_storage, study_names
from search.study.study import Study
from search.study.study_trials import StudyTrials
from search.tracking.backfill import recover
from search.tracking.recorder import Recorder
from search.tracking.store import Store, is_unreachable
from search.tracking.views import experiment_tags
from search.trials import checkpoint
from search.trials.config import TrialConfig
from search.tuning.plan import Plan
from search.tuning.records import StudyRun
from search.tuning.screen import announce, conclude, troubles
from search.tuning.stopping import Enough

log = logging.getLogger(__name__)

ENDLESS = 100_000  # trials of a search that only time ends
LEAST = 5.0  # seconds that an interrupted twin must have left to go on


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a call of a search ended.

    Attributes:
        seconds: how long it was searched, in all calls.
        troubles: what went wrong, and how to mend it.
    """

    status: int
    study: str
    seconds: float
    troubles: Sequence[str] = ()


def search(
    plan: Plan,
    name: str | None,
    known: RDBStorage | None,
    store: Store,
    stop: StopOnSignal,
    ray: ExitStack,
    began: float,
) -> Ended:
    """Start or resume a search.

    Args:
        name: the study's, None for a new one.
        known: the studies' database, None if there is none yet.
        ray: Ray runs, if trials are missing; closing it stops Ray.
        began: the start of the command, by the monotonic clock.
    """
    storage = known or open_storage(plan.home)
    name = name or locks.claim(plan.home / "studies", plan.new_name())
    folder = plan.home / "studies" / name
    log_file = folder / "search.log"
    ray_folder = plan.home / "ray" / name
    with locks.lock_study(plan.home, name), output.output_to(log_file) as screen:
        shutil.rmtree(ray_folder, ignore_errors=True)  # a killed driver left it
        tags = experiment_tags(plan.pipeline, plan.data.label)
        experiment_id = store.experiment(plan.experiment, tags)
        plan.choose_study(storage)  # another driver may have created it and have ended
        exists = name in study_names(storage)
        if exists:
            study = studies.reopen(
                storage, name, identity=plan.identity, accept_source=plan.accept_source
            )
        else:
            first = None if plan.twin_of else plan.defaults
            study = studies.create(
                storage,
                name,
                identity=plan.identity,
                defaults=first,
                known=asdict(plan.known) if plan.known else None,
            )
        if plan.source:
            durable.write(plan.home / OWN / f"{plan.pipeline_name}.py", plan.source)
        precision = studies.precision_on(study, plan.resources.device) or plan.resources.precision
        resources = replace(plan.resources, precision=precision)
        so_far = len(study.get_trials(deepcopy=False))
        found = Known.of(study)
        study.sampler = samplers.build_sampler(
            plan.sampler,
            seed=plan.seed,
            trials_so_far=so_far,
            known=found.trials(plan.space) if found else (),
        )
        ended = studies.counts(study)
        wanted = ENDLESS if plan.twin_of else plan.trials
        enough = Enough(plan, studies.trained(study))
        missing = 0 if enough.reason else max(0, wanted - sum(ended.values()))
        console = output.console(screen, quiet=plan.quiet)
        announce(console, plan, resources, name, log_file, missing, found)
        study_run = StudyRun(plan, resources, store, experiment_id, name)
        until = None
        if plan.time_budget:
            until = began + plan.time_budget - (study_run.seconds if plan.twin_of else 0.0)
            if study_run.seconds and plan.twin_of and until - time.monotonic() < LEAST:
                missing = 0
        progress = Progress(
            screen,
            title=name,
            total=None if plan.twin_of else plan.trials,
            ended=ended,
            best=_best(study),
            quiet=plan.quiet,
            aims=plan.aims,
            until=until,
        )
        runs = study_run.trial_runs() if exists else {}
        trials = folder / checkpoint.TRIALS
        recorder = study_run.recorder(trials, runs, progress.store_unreachable)
        recover(study, runs, recorder, folder=trials)
        source = _trials(plan, resources, study)
        rungs = RungRecord()
        searcher = TrialSearcher(
            source, aims=plan.aims, listeners=[recorder, progress, enough], rungs=rungs
        )
        rungs.recall(source.ended_before())
        scheduler = RungScheduler(
            rungs,
            metric=plan.aims.metric,
            epochs=plan.epochs,
            mode=plan.aims.goals[0].direction[:3],
            ended=math.inf if plan.scheduler == "asha" else ENDED,
        )
        status, broken = FAILED, None
        try:
            with progress:
                if missing:
                    train(
                        searcher,
                        trials=missing,
                        scheduler=None if plan.scheduler == "none" else scheduler,
                        data=plan.data,
                        resources=resources,
                        folder=trials,
                        ray_folder=ray_folder,
                        over=lambda: stop.event.is_set() or enough.reason is not None,
                        time_budget=until and max(1.0, until - time.monotonic()),
                    )
            broken = searcher.broken
            status = INTERRUPTED if stop.event.is_set() else FAILED if broken else 0
        except KeyboardInterrupt:
            status = INTERRUPTED
        except Exception as error:
            if not is_full(error):
                raise
            log.exception("the disk is full")
            broken = f"the disk of {plan.home} is full\nmake room"
        finally:
            shutil.rmtree(ray_folder, ignore_errors=True)
            spent = time.monotonic() - began if missing else 0.0
            waiting = _close(study, searcher, recorder, study_run, ray, status, spent)
        unmet = bool(plan.aims.limits) and not studies.best_trials(study)
        status = status or (FAILED if waiting or unmet else 0)
        refused = recorder.failures
        wrong = troubles(plan, log_file, refused=refused, waiting=waiting, broken=broken)
        for text in wrong:
            output.say(console, text, "red")
        conclude(
            console,
            plan,
            study,
            experiment_id=experiment_id,
            status=status,
            exhausted=source.exhausted,
            enough=enough.reason,
        )
    if plan.quiet:  # errors go to standard error, which the log received until here
        print(*wrong, sep="\n", end="\n" * bool(wrong), file=sys.stderr)
    return Ended(status=status, study=name, seconds=study_run.seconds, troubles=wrong)


def _close(
    study: Study,
    searcher: TrialSearcher,
    recorder: Recorder,
    study_run: StudyRun,
    ray: ExitStack,
    status: int,
    spent: float,
) -> int:
    """End trials and Ray, and close the records; returns how many could not be written.

    If the store is unreachable or a disk is full, the next driver that opens the study writes the
    missing records.
    """
    try:
        searcher.interrupt()
    except Exception as error:
        if not is_full(error):
            raise
        log.exception("the disk is full")
    with ThreadPoolExecutor(1) as beside:
        drawing = beside.submit(study_run.draw, study)
        ray.close()
        recorder.close()
    page = drawing.result()
    try:
        recorder.deliver(lambda: study_run.close(study, status, page=page, seconds=spent))
    except Exception as error:
        if not (is_unreachable(error) or is_full(error)):
            raise
        log.warning("the study's run is left open: %s", error)
        return recorder.undelivered + 1
    return recorder.undelivered


def _best(study: Study) -> tuple[float, TrialConfig] | None:
    """The best trial's value and configuration; None where there is none, as with two goals."""
    trials = studies.best_trials(study) if len(study.directions) == 1 else []
    found = [(t.values[0], TrialConfig.from_json(t.user_attrs[studies.CONFIG])) for t in trials[:1]]
    return found[0] if found else None


def _trials(plan: Plan, resources: Resources, study: Study) -> StudyTrials:
    def make_config(trial_id: str, number: int, params: Mapping[str, Scalar]) -> TrialConfig:
        return TrialConfig(
            trial_id=trial_id,
            number=number,
            study=study.study_name,
            pipeline=plan.pipeline_name,
            params=dict(params),
            seed=int(np.random.SeedSequence([plan.seed, number]).generate_state(1)[0] >> 1),
            epochs=plan.epochs,
            rungs=plan.rungs,
            **resources.of_a_trial(),
            images=plan.data.description,
            source=plan.source,
        )

    def violations(params: Mapping[str, Scalar]) -> Mapping[str, float]:
        known = any(limit.metric == PARAMETERS for limit in plan.aims.limits)
        return plan.aims.violations(known_before(plan.pipeline, params)) if known else {}

    return StudyTrials(
        study,
        space=plan.space,
        make_config=make_config,
        seed=plan.seed + len(study.get_trials(deepcopy=False)),
        violations=violations,
    )

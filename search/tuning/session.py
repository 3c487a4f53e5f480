"""A search from its plan to its last line: puts the parts together."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
from optuna.storages import RDBStorage
from rich.console import Console

from search import checkpoints, cluster, study as studies, tracking
from search.display import Progress
from search.errors import FAILED, INTERRUPTED
from search.home import is_full
from search.outcomes import Listener
from search.pipeline import Scalar
from search.plan import Plan
from search.proposals import Proposals
from search.ray_run import StopOnSignal, train
from search.recorder import Recorder
from search.recovery import recover
from search.stopping import build_asha
from search.study_run import StudyRun, experiment_tags
from search.summary import announce, conclude, tell_troubles
from search.trial import TrialConfig

log = logging.getLogger(__name__)


def search(plan: Plan, name: str, exists: bool, known: RDBStorage | None, began: float) -> int:
    """Search, or go on searching; returns the exit status.

    Args:
        name, exists: of the study, and whether it is there already.
        known: the studies' database, None where there is none yet.
        began: when the command did, by the monotonic clock.
    """
    store = tracking.Store(plan.tracking_uri)
    storage = known or studies.open_storage(plan.home)
    if not (plan.study or exists):
        name = studies.claim(plan.home / "studies", name)
    folder = plan.home / "studies" / name
    log_file = folder / "search.log"
    ray_folder = plan.home / "ray" / name
    with studies.lock(folder, name), cluster.output_to(log_file) as screen:
        shutil.rmtree(ray_folder, ignore_errors=True)  # of a killed driver; nobody reads it
        tags = experiment_tags(plan.pipeline, plan.data.source)
        experiment_id = store.experiment(plan.experiment, tags)
        if not exists and name in studies.study_names(storage):
            plan.choose_study(storage)  # another driver made it and is done with it by now
            exists = True
        if exists:
            study = studies.reopen(storage, name, identity=plan.identity)
            plan = _in_the_precision_of(study, plan)
        else:
            study = studies.create(storage, name, identity=plan.identity, defaults=plan.defaults)
        so_far = len(study.get_trials(deepcopy=False))
        study.sampler = studies.build_sampler(plan.sampler, seed=plan.seed, trials_so_far=so_far)
        ended = studies.counts(study)
        missing = max(0, plan.trials - sum(ended.values()))
        console = Console(file=screen, highlight=False, quiet=plan.quiet)
        announce(console, plan, name, log_file, missing)
        metric = plan.pipeline.metric
        progress = Progress(
            screen,
            title=name,
            total=plan.trials,
            ended=ended,
            quiet=plan.quiet,
            metric=metric,
        )
        study_run = StudyRun(plan, store, experiment_id, name)
        runs = study_run.trial_runs() if exists else {}
        trials = folder / checkpoints.TRIALS
        recorder = study_run.recorder(trials, runs, progress.store_away)
        recover(study, runs, recorder, metric=metric, folder=trials)
        proposals = _proposals(plan, study, [recorder, progress])
        status, broken = FAILED, None
        try:
            with StopOnSignal() as stop, progress:
                if missing:
                    _tune(plan, proposals, trials, ray_folder, missing, stop, began)
            broken = proposals.broken
            status = INTERRUPTED if stop.event.is_set() else FAILED if broken else 0
        except KeyboardInterrupt:
            status = INTERRUPTED
        except Exception as error:
            if not is_full(error):
                raise
            log.exception("the disk is full")
            broken = f"the disk of {plan.home} is full"
        finally:
            waiting = _close(study, proposals, recorder, study_run, status, began)
        status = status or (FAILED if waiting else 0)
        tell_troubles(console, plan, log_file, recorder.failures, waiting, broken)
        conclude(
            console,
            plan,
            study,
            experiment_id=experiment_id,
            status=status,
            exhausted=proposals.exhausted,
        )
    return status


def _close(
    study: optuna.Study,
    proposals: Proposals,
    recorder: Recorder,
    study_run: StudyRun,
    status: int,
    began: float,
) -> int:
    """End what is under way and close the records; returns how many could not be written.

    What a store that is away or a full disk keeps from being written is written when the study is
    opened the next time.
    """
    try:
        proposals.interrupt()
    except Exception as error:
        if not is_full(error):
            raise
        log.exception("the disk is full")
    recorder.close()
    try:
        study_run.close(study, status, seconds=time.monotonic() - began)
    except Exception as error:
        if not (tracking.is_away(error) or is_full(error)):
            raise
        log.warning("the study's run is left open: %s", error)
        return recorder.undelivered + 1
    return recorder.undelivered


def _in_the_precision_of(study: optuna.Study, plan: Plan) -> Plan:
    known = studies.precision_on(study, plan.resources.device)
    return replace(plan, resources=replace(plan.resources, precision=known)) if known else plan


def _proposals(plan: Plan, study: optuna.Study, listeners: list[Listener]) -> Proposals:
    resources = plan.resources

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
            precision=resources.precision,
            device=resources.device,
            threads=resources.cpus_per_trial,
        )

    return Proposals(
        study,
        space=plan.space,
        make_config=make_config,
        metric=plan.pipeline.metric,
        listeners=listeners,
        seed=plan.seed + len(study.get_trials(deepcopy=False)),
    )


def _tune(
    plan: Plan,
    proposals: Proposals,
    folder: Path,
    ray_folder: Path,
    missing: int,
    stop: StopOnSignal,
    began: float,
) -> None:
    """Train `missing` trials, until they have ended or `stop` is set."""
    asha = build_asha(
        metric=plan.pipeline.metric,
        epochs=plan.epochs,
        grace=plan.pipeline.grace,
        stopped=proposals.stopped,
        decided=proposals.decided,
    )
    asha.recall(proposals.reported_before())
    budget = None
    if plan.time_budget:
        budget = max(1.0, plan.time_budget - (time.monotonic() - began))
    try:
        train(
            proposals,
            trials=missing,
            scheduler=asha if plan.scheduler == "asha" else None,
            data=plan.data,
            resources=plan.resources,
            address=plan.address,
            folder=folder,
            ray_folder=ray_folder,
            stop=stop,
            time_budget=budget,
        )
    finally:
        shutil.rmtree(ray_folder, ignore_errors=True)

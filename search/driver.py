"""A search from its plan to its last line: puts the parts together."""

from __future__ import annotations

import signal
import threading
import time
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from rich.console import Console

from search import cluster, study as studies, tracking
from search.display import Progress
from search.errors import FAILED, INTERRUPTED, UserError
from search.pipeline import Scalar
from search.plan import Plan, check_disk, settle
from search.proposals import Listener, Proposals
from search.stopping import StopWhen, build_asha
from search.study_run import StudyRun, experiment_tags
from search.summary import announce, conclude
from search.trial import TrialConfig


def run(options: Namespace) -> int:
    """Search as the options say; returns the exit status."""
    began = time.monotonic()
    plan = settle(options)
    # What can still be refused comes before anything is made.
    known = studies.open_storage(plan.home) if studies.exist(plan.home) else None
    name, exists = _choose_study(plan, known)
    check_disk(plan.home)
    store = tracking.Store(plan.tracking_uri)
    storage = known or studies.open_storage(plan.home)
    folder = plan.home / "studies" / name
    log_file = folder / "search.log"
    with studies.lock(folder, name), cluster.output_to(log_file) as screen:
        experiment_id = store.experiment(plan.experiment, experiment_tags(plan))
        if exists:
            study = studies.reopen(storage, name, identity=plan.identity)
        else:
            study = studies.create(storage, name, identity=plan.identity, defaults=plan.defaults)
        so_far = len(study.get_trials(deepcopy=False))
        study.sampler = studies.build_sampler(plan.sampler, seed=plan.seed, trials_so_far=so_far)
        ended = studies.counts(study)
        missing = max(0, plan.trials - sum(ended.values()))
        console = Console(file=screen, highlight=False, quiet=plan.quiet)
        announce(console, plan, name, log_file, missing)
        study_run = StudyRun(plan, store, experiment_id, name)
        recorder = study_run.recorder(_interrupted_before(study))
        progress = Progress(
            screen,
            title=name,
            total=plan.trials,
            ended=ended,
            quiet=plan.quiet,
            metric=plan.pipeline.metric,
        )
        proposals = _proposals(plan, study, [recorder, progress])
        status = FAILED
        try:
            with _StopOnSignal() as stop, progress:
                if missing:
                    _tune(plan, proposals, folder, missing, stop, began)
            status = INTERRUPTED if stop.event.is_set() else 0
        except KeyboardInterrupt:
            status = INTERRUPTED
        finally:
            proposals.interrupt()
            recorder.close()
            study_run.close(study, status, seconds=time.monotonic() - began)
        if recorder.failures:
            console.print(
                f"{recorder.failures} records did not reach MLflow; the reasons are in {log_file}",
                style="red",
            )
        conclude(
            console,
            plan,
            study,
            experiment_id=experiment_id,
            status=status,
            exhausted=proposals.exhausted,
        )
    return status


def _choose_study(plan: Plan, storage: RDBStorage | None) -> tuple[str, bool]:
    """The study's name, and whether it exists; `storage` is None where there is none yet."""
    if plan.study:
        exists = storage is not None and plan.study in studies.study_names(storage)
        if exists and not plan.resume:
            raise UserError(
                f"there is a study {plan.study!r} already\n"
                "add --resume to go on with it, or give another --study"
            )
        return plan.study, exists
    if not plan.resume:
        return plan.new_name(), False
    found = studies.study_names(storage, plan.pipeline_name, plan.data.source) if storage else []
    if not found:
        raise UserError(
            f"--resume: {plan.pipeline_name} has no study on {plan.data.source} data here\n"
            "leave --resume out to start one"
        )
    return found[-1], True


def _interrupted_before(study: optuna.Study) -> set[str]:
    """Ids of trials that wait to be resumed; they have a run in MLflow already."""
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    configs = [trial.user_attrs.get(studies.CONFIG) for trial in waiting]
    return {config["trial_id"] for config in configs if config}


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
    missing: int,
    stop: _StopOnSignal,
    began: float,
) -> None:
    """Let Ray run `missing` trials, until they have ended or `stop` is set."""
    from ray import tune
    from ray.tune.schedulers import FIFOScheduler

    from search.worker import TrialWorker

    asha = build_asha(
        metric=plan.pipeline.metric,
        epochs=plan.epochs,
        grace=plan.pipeline.grace,
        stopped=proposals.stopped,
    )
    resources = plan.resources
    if not plan.address:
        cluster.start(
            cpus=resources.cpus,
            gpus=resources.gpus,
            shared_bytes=plan.data.train.images.nbytes + plan.data.valid.images.nbytes,
        )
    stop.listen()
    weights = folder / "weights"
    weights.mkdir(exist_ok=True)
    budget = None
    if plan.time_budget:
        budget = max(1.0, plan.time_budget - (time.monotonic() - began))
    try:
        tune.Tuner(
            tune.with_resources(
                tune.with_parameters(TrialWorker, data=plan.data, weights_dir=str(weights)),
                {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial},
            ),
            tune_config=tune.TuneConfig(
                search_alg=proposals,
                scheduler=asha if plan.scheduler == "asha" else FIFOScheduler(),
                num_samples=missing,
                max_concurrent_trials=resources.concurrency,
                time_budget_s=budget,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=folder.name,
                storage_path=str(plan.home / "ray"),
                stop=StopWhen(stop.event),
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=3),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    finally:
        cluster.stop()


class _StopOnSignal:
    """While entered, the first SIGINT or SIGTERM sets `event`; a second one interrupts at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.event = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> _StopOnSignal:
        self._before = {number: signal.getsignal(number) for number in self.SIGNALS}
        self.listen()
        return self

    def __exit__(self, *unused: object) -> None:
        for number, handler in self._before.items():
            if threading.current_thread() is threading.main_thread():
                signal.signal(number, handler)

    def listen(self) -> None:
        """Take the signals (again: Ray puts a handler of its own in place when it starts)."""
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        if self.event.is_set():
            raise KeyboardInterrupt
        self.event.set()

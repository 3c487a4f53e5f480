"""Ray Tune at work: trains what a searcher hands out, until nothing is left or a signal comes."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from search import cluster
from search.resources import Resources
from search.stopping import StopWhen
from search.worker import TrialWorker
from trainers.data import TrainingData


def train(
    source: Searcher,
    *,
    trials: int,
    scheduler: TrialScheduler | None,
    data: TrainingData,
    resources: Resources,
    address: str | None,
    folder: Path,
    ray_folder: Path,
    stop: StopOnSignal,
    time_budget: float | None = None,
) -> None:
    """Start Ray (or use the cluster that was joined), run `trials` trials, stop Ray.

    Args:
        source: hands out configurations and is told what becomes of them.
        trials: how many to ask it for.
        scheduler: who stops trials early; None lets each train to its end.
        folder: has one for each trial under way, with its checkpoint and at last its weights.
        ray_folder: where Ray keeps its own state.
        stop: ends everything once its event is set.
        time_budget: seconds after which Ray stops.
    """
    if address:
        cluster.join(address)
    else:
        cluster.start(resources, data)
    stop.listen()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        tune.Tuner(
            tune.with_resources(
                tune.with_parameters(TrialWorker, data=data, folder=str(folder)),
                {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial},
            ),
            tune_config=tune.TuneConfig(
                search_alg=source,
                scheduler=scheduler or FIFOScheduler(),
                num_samples=trials,
                max_concurrent_trials=resources.concurrency,
                time_budget_s=time_budget,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=ray_folder.name,
                storage_path=str(ray_folder.parent),
                stop=StopWhen(stop.event),
                verbose=0,
                callbacks=[ForgetStatistics()],
                failure_config=tune.FailureConfig(max_failures=3),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    finally:
        cluster.stop()
        stop.listen()  # Ray takes its own handlers away when it ends, and ours with them


class ForgetStatistics(tune.Callback):
    """Frees what Ray keeps of a trial that ended.

    For every number in a result Ray keeps running statistics, 60 KiB a trial, as long as the search
    lasts, and writes them all into each of its snapshots. Nothing here reads them.
    """

    def on_trial_complete(
        self, iteration: int, trials: list[Any], trial: Any, **info: object
    ) -> None:
        """Also called for a trial that the scheduler stopped."""
        trial.metric_analysis.clear()
        trial.metric_n_steps.clear()
        trial.run_metadata.invalidate_cache()

    on_trial_error = on_trial_complete


class StopOnSignal:
    """While entered, the first SIGINT or SIGTERM sets `event`; a second one interrupts at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.event = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopOnSignal:
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

"""Run Ray Tune: it trains a searcher's trials until none is left or a signal arrives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from search.cluster.pruning import StopWhen
from search.cluster.resources import Resources
from search.cluster.searcher import TrialSearcher
from search.cluster.worker import TrialWorker
from search.trials import checkpoint
from trainers.data import TrainingData


def train(
    searcher: TrialSearcher,
    *,
    trials: int,
    scheduler: TrialScheduler | None,
    data: TrainingData,
    resources: Resources,
    folder: Path,
    ray_folder: Path,
    over: Callable[[], bool],
    time_budget: float | None = None,
) -> None:
    """Run `trials` trials; Ray runs.

    Args:
        scheduler: stops trials early; with None each trial trains to its end.
        folder: holds a folder for each trial under way, with its checkpoint and later its weights.
        ray_folder: the folder of Ray's own state.
        over: whether the search is to end, asked between any two events.
        time_budget: seconds after which Ray stops.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tune.Tuner(
        tune.with_resources(
            tune.with_parameters(
                TrialWorker, data=data, folder=str(folder), worth=checkpoint.worth()
            ),
            {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial},
        ),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
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
            stop=StopWhen(over),
            verbose=0,
            progress_reporter=NoReport(),
            callbacks=[ForgetStatistics()],
            failure_config=tune.FailureConfig(max_failures=3),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()


class NoReport(tune.ProgressReporter):
    """Ray's own, which would clear a notebook's cell at `verbose=0` too."""

    def should_report(self, trials: Any, done: bool = False) -> bool:
        """Never."""
        return False


class ForgetStatistics(tune.Callback):
    """Frees the statistics that Ray keeps of an ended trial.

    For every number in a result Ray keeps running statistics, 60 KiB a trial, as long as the search
    lasts, and writes them all into each of its snapshots. Nothing here reads them.
    """

    def on_trial_complete(
        self, iteration: int, trials: list[Any], trial: Any, **info: object
    ) -> None:
        """Clear them; Ray calls this for a trial that the scheduler stopped too."""
        trial.metric_analysis.clear()
        trial.metric_n_steps.clear()
        trial.run_metadata.invalidate_cache()

    on_trial_error = on_trial_complete

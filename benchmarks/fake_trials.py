"""Trials that train nothing, in an otherwise real search: only orchestration is left."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

EPOCHS = 3
PIPELINE = "mnist_supervised"


def search(
    trials: int,
    *,
    concurrency: int,
    epoch_seconds: float,
) -> None:
    """Search at random in the current folder with the command's own path; no trial is stopped.

    The first trials wait until every worker's process is there, then go on one after the other. A
    machine of few cores takes minutes to start many, and Ray gives up a process that is still
    starting whenever another one gets free.

    Args:
        epoch_seconds: that each of the three epochs of a trial sleeps.
    """
    from search import tune
    from search.cluster import ray_session

    ray_session.prepare_environment()  # before Ray is imported
    from search.cluster import tuner

    words = ["--pipeline", PIPELINE, "--data", "mini", "--study", "asleep", "--quiet"]
    words += ["--trials", str(trials), "--epochs", str(EPOCHS), "--device", "cpu"]
    words += ["--sampler", "random", "--scheduler", "none"]
    words += ["--concurrency", str(concurrency), "--cpus-per-trial", "1"]
    # The only part that is not real: the function that Ray runs as a trial.
    worker = reporting_worker(epoch_seconds, concurrency)
    with mock.patch.object(tuner, "TrialWorker", worker):
        status = tune.main(words)
    if status:
        sys.exit(f"the search ended with status {status}")


def reporting_worker(epoch_seconds: float, wait_for: int) -> type:
    """A trial that reports and trains nothing; made here, after Ray's settings are.

    The first trials wait until there are `wait_for` processes.
    """
    from ray import tune

    from search.spaces.pipeline import METRIC

    class Reporting(tune.Trainable):
        def setup(  # type: ignore[override]
            self, config: dict[str, Any], data: object, folder: str, worth: float
        ) -> None:
            self.reset_config(config)
            self._started = Path(folder).parent / "started"
            self._started.mkdir(exist_ok=True)
            (self._started / str(os.getpid())).touch()
            self._waits = True

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._params, self._epochs = new_config["params"], new_config["epochs"]
            self._epoch = 0
            return True

        def step(self) -> dict[str, Any]:
            self._epoch += 1
            if self._waits:
                self._waits = False
                self._wait()
            time.sleep(epoch_seconds)
            value = 0.9 - abs(self._params["dropout"] - 0.1) - abs(self._params["warmup"] - 0.2)
            return {
                "epoch": self._epoch,
                "metrics": {"train/loss": 1 / self._epoch, METRIC: value - 0.1 / self._epoch},
                "done": self._epoch >= self._epochs,
            }

        def _wait(self) -> None:
            started: list[str] = []
            while len(started) < wait_for:
                time.sleep(0.5)
                started = sorted(each.name for each in self._started.iterdir())
            place = started.index(str(os.getpid())) / wait_for
            time.sleep(place * EPOCHS * epoch_seconds)

    return Reporting

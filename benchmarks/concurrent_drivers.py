"""Eight searches at once that create and write the same fresh stores: is anything lost?

    python benchmarks/concurrent_drivers.py [--drivers 8] [--trials 5] [--home DIR]

Each is a process that runs the whole command (`search/tune.py`) in one empty folder, all starting
together: the first one makes Optuna's and MLflow's databases. Ray is left out: the driver hears
of trials that trained nothing. Prints the seconds of each driver and what the stores hold;
ends with status 1 if a driver failed, a record is missing or anything still counts as running.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks import machine

if TYPE_CHECKING:
    from ray.tune.search import Searcher

EPOCHS = 2
PIPELINE = "mnist_supervised"


def main(argv: Sequence[str] | None = None) -> int:
    """Start them together, wait, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drivers", type=int, default=8)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument(
        "--home", type=Path, help="an empty folder, kept (default: a temporary one)"
    )
    machine.add_options(parser, "3 drivers with 2 trials each")
    options = parser.parse_args(argv)
    if options.quick:
        options.drivers, options.trials = 3, 2
    where = machine.describe("optuna", "mlflow")
    print(where)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.home or Path(temporary)
        seconds, statuses = run(folder, options.drivers, options.trials)
        optuna, mlflow = stored(folder / "mlruns")
    times = ", ".join(f"{each:.1f}" for each in sorted(seconds))
    print(f"{options.drivers} drivers with {options.trials} trials each: {times} s; {statuses}")
    print(f"optuna.db: {dict(optuna)}; mlflow.db: {dict(mlflow)}")
    trials = options.drivers * options.trials
    whole = (
        statuses == Counter({0: options.drivers})
        and optuna == Counter({"study": options.drivers, "COMPLETE": trials})
        and mlflow == Counter({"study FINISHED": options.drivers, "trial FINISHED": trials})
    )
    figures = {"drivers": options.drivers, "trials": options.trials, "whole": whole}
    machine.keep(options.json, machine=where, figures={**figures, "seconds": seconds})
    print("nothing lost" if whole else "SOMETHING IS LOST")
    return 0 if whole else 1


def run(folder: Path, drivers: int, trials: int) -> tuple[list[float], Counter[int | None]]:
    """(seconds of each driver, how many ended with which status)."""

    context = multiprocessing.get_context("fork")
    together = context.Barrier(drivers)
    times = context.SimpleQueue()
    started = [
        context.Process(target=_drive, args=(folder, trials, together, times))
        for _ in range(drivers)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    seconds = []
    while not times.empty():
        seconds.append(times.get())
    return seconds, Counter(process.exitcode for process in started)


def _drive(folder: Path, trials: int, together: Any, times: Any) -> None:
    """One driver: the command, with trials that are made up here in place of Ray's."""
    from search import tune
    from search.tuning import session

    os.chdir(folder)
    session.train = _report  # type: ignore[assignment]
    words = ["--pipeline", PIPELINE, "--data", "mini", "--train-size", "512", "--device", "cpu"]
    words += ["--trials", str(trials), "--epochs", str(EPOCHS), "--quiet", "--concurrency", "1"]
    together.wait()
    began = time.perf_counter()
    status = tune.main(words)
    times.put(time.perf_counter() - began)
    sys.exit(status)


def _report(searcher: Searcher, *, trials: int, **unused: object) -> None:
    """In place of `search.cluster.tuner.train`: every trial reports its epochs at once."""
    from search.spaces.pipeline import METRIC
    from search.trials.outcome import METRICS

    for number in range(trials):
        trial_id = f"ray {number}"
        if not isinstance(searcher.suggest(trial_id), dict):
            return
        for epoch in range(1, EPOCHS + 1):
            metrics = {"train/loss": 1 / epoch, METRIC: 0.1 * epoch + 0.01 * number}
            result = {"epoch": epoch, **{METRICS + name: value for name, value in metrics.items()}}
            if epoch < EPOCHS:
                searcher.on_trial_result(trial_id, result)
            else:
                searcher.on_trial_complete(trial_id, result)


def stored(home: Path) -> tuple[Counter[str], Counter[str]]:
    """Count what the two stores hold: studies and trials by state, runs by kind and status."""
    with closing(sqlite3.connect(home / "optuna.db")) as database:
        optuna = Counter(state for (state,) in database.execute("select state from trials"))
        [(studies,)] = database.execute("select count(*) from studies")
    query = "select value, status from runs join tags on runs.run_uuid = tags.run_uuid"
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        kinds = database.execute(f"{query} where key = 'kind'")
        mlflow = Counter(f"{kind} {status}" for kind, status in kinds)
    return Counter({**optuna, "study": studies}), mlflow


if __name__ == "__main__":
    sys.exit(main())

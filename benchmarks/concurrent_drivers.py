"""Eight searches at once that create and write the same fresh stores: is anything lost?

    python benchmarks/concurrent_drivers.py [--drivers 8] [--trials 5] [--home DIR]

Each is a process that runs the whole command (`search/tune.py`) in one empty folder, all starting
together: the first one makes Optuna's and MLflow's databases. Ray is left out: the driver hears
of trials that trained nothing. Prints the seconds of each driver and what the stores hold;
ends with status 1 if a driver failed, a record is missing or anything still counts as running.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.commands import rows

if TYPE_CHECKING:
    from ray.tune.search import Searcher

EPOCHS = 2
PIPELINE = "mnist_supervised"


def main(argv: Sequence[str] | None = None) -> int:
    """Start them together, wait, count."""
    parser = machine.options(__doc__, "3 drivers with 2 trials each", drivers=8, trials=5)
    parser.add_argument("--home", type=Path, help="an empty folder, kept; else a temporary one")
    options = parser.parse_args(argv)
    if options.quick:
        options.drivers, options.trials = 3, 2
    where = machine.announce("optuna", "mlflow")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.home or Path(temporary)
        seconds, statuses = run(folder, options.drivers, options.trials)
        optuna, mlflow = stored(folder)
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
    given = (folder, trials, together, times)
    started = [context.Process(target=_drive, args=given) for _ in range(drivers)]
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


def stored(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Count what the two stores hold: studies and trials by state, runs by kind and status."""
    optuna = Counter(state for (state,) in rows(folder, "select state from trials", "optuna"))
    [(optuna["study"],)] = rows(folder, "select count(*) from studies", "optuna")
    query = "select value, status from runs join tags on runs.run_uuid = tags.run_uuid"
    mlflow = Counter(" ".join(each) for each in rows(folder, f"{query} where key = 'kind'"))
    return optuna, mlflow


if __name__ == "__main__":
    sys.exit(main())

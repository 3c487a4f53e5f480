"""The same search by the tutorials' way and by ours, alternating, timed from outside.

    python benchmarks/plain_search.py --plain PATH/plain_tune.py --data-dir DIR

`plain_tune.py` joins Ray Tune, Optuna and MLflow as their own guides do: torchvision transforms
behind a DataLoader, float32, `OptunaSearch`, ASHA, `MLflowLoggerCallback`. Ours searches
cifar_contrastive twice: by the same recipe (AdamW, width 32, depth 3, batch 256, a strided encoder
without a whitened stem, a projection head), and as the defaults stand. Prints seconds (process
start to process end), the best linear accuracy on validation images, which all measure, and when
the defaults' search had a trial at the plain way's best. The two validation splits differ (ours is
stratified), so the accuracies carry the noise of 5,000 images. Run it with nothing else on the
machine.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.commands import rows, settings, tune

LINEAR = "select value, timestamp from metrics where key = 'valid/linear_accuracy'"
RECIPE = (
    *("width=32", "depth=3", "block=strided", "batch_size=256", "optimizer=adamw"),
    *("stem=none", "readout=flat", "projection=head"),
)


def main() -> None:
    """Alternate, then print every run and the ratio of the medians."""
    parser = machine.options(__doc__, "one round of two short trials", rounds=3)
    parser.add_argument("--plain", type=Path, required=True, help="plain_tune.py")
    parser.add_argument("--data-dir", type=Path, required=True)
    options = parser.parse_args()
    options.trials, options.epochs = 16, 4
    if options.quick:
        options.rounds, options.trials, options.epochs = 1, 2, 1
    where = machine.announce("torch", "ray", "optuna", "mlflow")
    runs: dict[str, list[tuple[float, ...]]] = {"plain": [], "ours": [], "defaults": []}
    reached = []
    for number in range(options.rounds):
        runs["plain"].append(_plain(options))
        runs["ours"].append(_ours(options, RECIPE, seed=number)[:2])
        goal = runs["plain"][-1][1]
        *own, reached_after = _ours(options, (), seed=number, goal=goal)
        runs["defaults"].append(tuple(own))
        reached.append(reached_after)
        last = {name: each[-1] for name, each in runs.items()}
        machine.show(f"round {number + 1}", {**last, "reached": reached_after})
    medians = {name: statistics.median(run[0] for run in each) for name, each in runs.items()}
    machine.show("median seconds", {**medians, "reached": statistics.median(reached)})
    figures = {"rounds": options.rounds, **runs, "reached": reached}
    machine.keep(options.json, machine=where, figures=figures)


def _shared(options: argparse.Namespace) -> list[str]:
    words = ["--pipeline", "cifar_contrastive", "--data-dir", str(options.data_dir.resolve())]
    words += ["--trials", str(options.trials), "--epochs", str(options.epochs)]
    return [*words, "--train-size", "5000"]


def _plain(options: argparse.Namespace) -> tuple[float, float]:
    """(seconds, best linear accuracy)."""
    command = [sys.executable, str(options.plain.resolve()), *_shared(options), "--width", "32"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    return seconds, json.loads(done.stdout.splitlines()[-1])["best_valid_accuracy"]


def _ours(
    options: argparse.Namespace, recipe: Sequence[str], *, seed: int, goal: float = 1.0
) -> tuple[float, float, float]:
    """(seconds, best linear accuracy, seconds until the goal, infinite if it was not reached).

    In a folder of its own, so without a ready store.
    """
    words = [*_shared(options), "--seed", str(seed), *settings(recipe)]
    with tempfile.TemporaryDirectory() as folder:
        start = time.time()
        tune(words, folder)
        seconds = time.time() - start
        measured = rows(folder, LINEAR)
    after = [at / 1e3 - start for value, at in measured if value >= goal]
    return seconds, max(value for value, _ in measured), min(after, default=math.inf)


if __name__ == "__main__":
    main()

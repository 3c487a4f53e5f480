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
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks import machine
from benchmarks.commands import tune

LINEAR = "select value, timestamp from metrics where key = 'valid/linear_accuracy'"
RECIPE = (
    *("width=32", "depth=3", "block=strided", "batch_size=256", "optimizer=adamw"),
    *("stem=none", "readout=flat", "projection=head"),
)


def main() -> None:
    """Alternate, then print every run and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plain", type=Path, required=True, help="plain_tune.py")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--train-size", type=int, default=5000)
    machine.add_options(parser, "one round of two short trials")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.trials, options.epochs = 1, 2, 1
    where = machine.describe("torch", "ray", "optuna", "mlflow")
    print(where)
    plain, ours, defaults, reached = [], [], [], []
    for number in range(options.rounds):
        plain.append(_plain(options))
        ours.append(_ours(options, RECIPE, seed=number)[:2])
        *own, reached_after = _ours(options, (), seed=number, goal=plain[-1][1])
        defaults.append(tuple(own))
        reached.append(reached_after)
        print(
            f"round {number + 1}: plain {_shown(plain[-1])}; ours by its recipe "
            f"{_shown(ours[-1])}; by our defaults {_shown(defaults[-1])}, "
            f"as good as plain after {reached_after:.1f} s",
            flush=True,
        )
    seconds = [statistics.median(run[0] for run in runs) for runs in (plain, ours, defaults)]
    print(
        f"medians of {options.rounds}: plain {seconds[0]:.1f} s, ours {seconds[1]:.1f} s, "
        f"ratio {seconds[0] / seconds[1]:.2f}; defaults {seconds[2]:.1f} s, "
        f"as good as plain after {statistics.median(reached):.1f} s"
    )
    figures = {"rounds": options.rounds, "plain": plain, "ours": ours}
    figures |= {"defaults": defaults, "reached": reached}
    machine.keep(options.json, machine=where, figures=figures)


def _shared(options: argparse.Namespace) -> list[str]:
    sizes = [("--trials", options.trials), ("--epochs", options.epochs)]
    sizes += [("--train-size", options.train_size)]
    words = ["--pipeline", "cifar_contrastive", "--data-dir", str(options.data_dir.resolve())]
    return words + [word for name, value in sizes for word in (name, str(value))]


def _plain(options: argparse.Namespace) -> tuple[float, float]:
    """(seconds, best linear accuracy)."""
    command = [sys.executable, str(options.plain.resolve()), *_shared(options), "--width", "32"]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    return seconds, json.loads(done.stdout.splitlines()[-1])["best_valid_accuracy"]


def _ours(
    options: argparse.Namespace, settings: Sequence[str], *, seed: int, goal: float = 1.0
) -> tuple[float, float, float]:
    """(seconds, best linear accuracy, seconds until the goal, infinite if it was not reached).

    In a folder of its own, so without a ready store.
    """
    words = [*_shared(options), "--seed", str(seed)]
    for setting in settings:
        words += ["--set", setting]
    with tempfile.TemporaryDirectory() as folder:
        start = time.time()
        tune(words, folder)
        seconds = time.time() - start
        with sqlite3.connect(Path(folder) / "mlruns" / "mlflow.db") as store:
            measured = store.execute(LINEAR).fetchall()
    after = [at / 1e3 - start for value, at in measured if value >= goal]
    return seconds, max(value for value, _ in measured), min(after, default=math.inf)


def _shown(run: tuple[float, ...]) -> str:
    return f"{run[0]:.1f} s, {run[1]:.4f}"


if __name__ == "__main__":
    main()

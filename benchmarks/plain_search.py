"""The same search by the tutorials' way and by ours, alternating, timed from outside.

    python benchmarks/plain_search.py --plain PATH/plain_tune.py --data-dir DIR

`plain_tune.py` joins Ray Tune, Optuna and MLflow as their own guides do: torchvision transforms
behind a DataLoader, float32, `OptunaSearch`, ASHA, `MLflowLoggerCallback`. Both search
cifar_contrastive at width 32, depth 3, batch 256. Prints seconds (process start to process end),
their ratio, and the best linear accuracy on validation images, which both measure. The two
validation splits differ (ours is stratified), so the accuracies carry the noise of 5,000 images.
Run it with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks import machine
from benchmarks.commands import tune

BEST_LINEAR = "select max(value) from metrics where key = 'valid/linear_accuracy'"


def main() -> None:
    """Alternate, then print every run and the ratio of the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plain", type=Path, required=True, help="plain_tune.py")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--train-size", type=int, default=5000)
    parser.add_argument("--block", default="strided", help="of our encoder; theirs is strided")
    machine.add_options(parser, "one round of two short trials")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.trials, options.epochs = 1, 2, 1
    where = machine.describe("torch", "ray", "optuna", "mlflow")
    print(where)
    plain, ours = [], []
    for number in range(options.rounds):
        plain.append(_plain(options))
        ours.append(_ours(options, seed=number))
        print(f"round {number + 1}: plain {_shown(plain[-1])}; ours {_shown(ours[-1])}", flush=True)
    seconds = [statistics.median(run[0] for run in runs) for runs in (plain, ours)]
    accuracy = [statistics.median(run[1] for run in runs) for runs in (plain, ours)]
    print(
        f"medians of {options.rounds}: plain {seconds[0]:.1f} s, ours {seconds[1]:.1f} s, "
        f"ratio {seconds[0] / seconds[1]:.2f}; "
        f"best linear accuracy {accuracy[0]:.4f} and {accuracy[1]:.4f}"
    )
    figures = {"rounds": options.rounds, "plain": plain, "ours": ours}
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


def _ours(options: argparse.Namespace, *, seed: int) -> tuple[float, float]:
    """(seconds, best linear accuracy), in a folder of its own, so without a ready store."""
    words = [*_shared(options), "--seed", str(seed)]
    for setting in ("width=32", "depth=3", f"block={options.block}", "batch_size=256"):
        words += ["--set", setting]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        tune(words, folder)
        seconds = time.perf_counter() - start
        with sqlite3.connect(Path(folder) / "mlruns" / "mlflow.db") as store:
            return seconds, store.execute(BEST_LINEAR).fetchone()[0]


def _shown(run: tuple[float, float]) -> str:
    return f"{run[0]:.1f} s, {run[1]:.4f}"


if __name__ == "__main__":
    main()

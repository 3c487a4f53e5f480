"""How a stage halves the side, compared: accuracy at equal epochs, and images a second.

    python benchmarks/blocks.py [--data-dir DIR] [--train-size 10000] [--epochs 6] [--seeds 3]
        [--pipeline NAME] [--threads 2] [--quick] [--json FILE]

Trains the six pipelines' defaults at width 32 and depth 3 with each of the encoder's blocks (see
`models/encoder.py`), in turn, seed by seed, as a search's trials are trained. The accuracy is that
of the protocol's classifier on validation images, the rate that of the epochs alone; printed as
means over the seeds with 95 % intervals, and medians.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import torch
from scipy.stats import t as student

from benchmarks import machine
from benchmarks.record_curves import METRIC, PIPELINES
from search.spaces.pipeline import load_pipeline
from search.trials.config import TrialConfig
from search.trials.trial import Trial, TrialImages
from trainers.data import load_training
from trainers.precision import fastest_precision

BLOCKS = ("strided", "averaged", "patches")  # `pooled` costs four times as much at equal depth
RATE = "time/images_per_second"


def main(argv: Sequence[str] | None = None) -> None:
    """A line for each pipeline and block."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="of the real images; the stand-in ones without it")
    parser.add_argument("--pipeline", default="all", choices=["all", *PIPELINES])
    parser.add_argument("--train-size", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    machine.add_options(parser, "two seeds of one epoch of few images")
    options = parser.parse_args(argv)
    if options.quick:
        options.seeds, options.epochs = 2, 1
    if options.quick or not options.data_dir:
        options.train_size = 1000
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    options.precision = fastest_precision(torch.device("cpu"), threads=options.threads)
    where = machine.describe("torch")
    print(where)
    names = PIPELINES if options.pipeline == "all" else (options.pipeline,)
    figures: dict[str, Any] = {"seeds": options.seeds, "epochs": options.epochs}
    figures |= {"train_size": options.train_size, "pipelines": {}}
    for name in names:
        figures["pipelines"][name] = compare(name, options)
    machine.keep(options.json, machine=where, figures=figures)


def compare(name: str, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Block -> accuracy, half its interval, images a second."""
    data = load_training(
        load_pipeline(name).dataset,
        data_dir=options.data_dir,
        mini=options.data_dir is None,
        train_size=options.train_size,
    )
    images = TrialImages.load(data, "cpu")
    runs: dict[str, list[tuple[float, float]]] = {block: [] for block in BLOCKS}
    for seed in range(options.seeds):
        for block, results in runs.items():
            results.append(train(name, block, seed, images, options))
    figures = {}
    for block, results in runs.items():
        accuracies, rates = zip(*results, strict=True)
        figures[block] = {
            "accuracy": statistics.mean(accuracies),
            "half": half_interval(accuracies),
            "rate": statistics.median(rates),
        }
        print(
            f"{name:18} {block:9} {100 * figures[block]['accuracy']:.2f} % "
            f"± {100 * figures[block]['half']:.2f}, {figures[block]['rate']:.0f} images/s",
            flush=True,
        )
    return figures


def train(
    name: str, block: str, seed: int, images: TrialImages, options: argparse.Namespace
) -> tuple[float, float]:
    """(accuracy, images a second) of one training."""
    pipeline = load_pipeline(name)
    config = TrialConfig(
        trial_id=block,
        number=0,
        study="blocks",
        pipeline=name,
        params={**pipeline.defaults, "width": 32, "depth": 3, "block": block},
        seed=seed,
        epochs=options.epochs,
        precision=options.precision,
        threads=options.threads,
    )
    epochs = list(Trial(config, images).epochs())
    return epochs[-1][METRIC], statistics.median(epoch[RATE] for epoch in epochs)


def half_interval(values: Sequence[float]) -> float:
    """Half of the 95 % interval of the mean (Student's t)."""
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return float(student.ppf(0.975, len(values) - 1)) * spread


if __name__ == "__main__":
    main()

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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks import machine
from benchmarks.record_curves import METRIC, PIPELINES
from search.cells.statistics import estimate
from search.spaces.pipeline import load_pipeline
from search.trials.trial import Trial, TrialImages
from trainers.precision import fastest_precision

BLOCKS = ("strided", "averaged", "patches")  # `pooled` costs four times as much at equal depth
RATE = "time/images_per_second"


def main(argv: Sequence[str] | None = None) -> None:
    """A line for each pipeline and block."""
    numbers = {"train_size": 10_000, "epochs": 6, "seeds": 3, "threads": 2}
    parser = machine.options(__doc__, "two seeds of one epoch of few images", **numbers)
    machine.add_data(parser)
    parser.add_argument("--pipeline", default="all", choices=["all", *PIPELINES])
    options = parser.parse_args(argv)
    if options.quick:
        options.seeds, options.epochs = 2, 1
    if options.quick or not options.data_dir:
        options.train_size = 1000
    machine.use_threads(options.threads)
    options.precision = fastest_precision(torch.device("cpu"), threads=options.threads)
    where = machine.announce("torch")
    names = PIPELINES if options.pipeline == "all" else (options.pipeline,)
    figures: dict[str, Any] = {"seeds": options.seeds, "epochs": options.epochs}
    figures |= {"train_size": options.train_size, "pipelines": {}}
    for name in names:
        figures["pipelines"][name] = compare(name, options)
    machine.keep(options.json, machine=where, figures=figures)


def compare(name: str, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Block -> accuracy, half its interval, images a second."""
    data = machine.load(load_pipeline(name).dataset, options.data_dir, options.train_size)
    images = TrialImages.load(data, "cpu")
    runs: dict[str, list[tuple[float, float]]] = {block: [] for block in BLOCKS}
    for seed in range(options.seeds):
        for block, results in runs.items():
            results.append(train(name, block, seed, images, options))
    figures = {}
    for block, results in runs.items():
        accuracies, rates = zip(*results, strict=True)
        mean = estimate(accuracies)
        figures[block] = {
            "accuracy": mean.mean,
            "half": math.nan if mean.high is None else mean.high - mean.mean,
            "rate": statistics.median(rates),
        }
        machine.show(f"{name}, {block}", figures[block])
    return figures


def train(
    name: str, block: str, seed: int, images: TrialImages, options: argparse.Namespace
) -> tuple[float, float]:
    """(accuracy, images a second) of one training."""
    pipeline = load_pipeline(name)
    config = machine.trial_config(
        name,
        {**pipeline.defaults, "width": 32, "depth": 3, "block": block},
        seed=seed,
        epochs=options.epochs,
        precision=options.precision,
        threads=options.threads,
    )
    epochs = list(Trial(config, images).epochs())
    return epochs[-1][METRIC], statistics.median(epoch[RATE] for epoch in epochs)


if __name__ == "__main__":
    main()

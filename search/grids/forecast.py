"""How long a sweep takes, from a few steps of what it trains."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch

from search.cells.cell import Cell
from search.cluster.throughput import threads, time_training
from search.grids.plan import SweepPlan
from search.spaces.pipeline import load_pipeline
from trainers.classifiers import EPOCHS, fit_classifier
from trainers.data import TrainingData

TIMED = 3  # points of a pipeline that the forecast times
TEST_IMAGES = 10_000  # of both data sets, read once for every training
FORWARD = 3  # a pass without gradients takes about a third of a training step
FORECAST_EPOCHS = 4  # of the classifier's: a part is enough to know what all take


def forecast(plan: SweepPlan, missing: Mapping[str, list[Cell]], unmeasured: int) -> float:
    """Seconds that the cells which are missing will take, from a few timed steps.

    Args:
        missing: by data set.
        unmeasured: cells that the sweep still measures.
    """
    seconds, rates = 0.0, []
    for dataset, cells in missing.items():
        data = plan.data[dataset]
        by_pipeline: dict[str, list[Cell]] = {}
        for cell in cells:
            if cell.kind == "trained":
                by_pipeline.setdefault(cell.pipeline, []).append(cell)
        fits = _classifier_seconds(data, plan)
        seconds += fits * (len(cells) - sum(map(len, by_pipeline.values())))
        for name, mine in by_pipeline.items():
            pipeline = load_pipeline(name)
            step = max(1, len(mine) // TIMED)
            timed = [
                time_training(pipeline, cell.params, data, plan.resources, seed=0)[0]
                for cell in mine[::step][:TIMED]
            ]
            rate = len(timed) / sum(1 / one for one in timed)
            rates.append(rate)
            seconds += len(mine) * (plan.epochs[name] * len(data.train) / rate + fits)
            seconds += len(mine) * TEST_IMAGES / (FORWARD * rate)
    seconds /= plan.resources.concurrency
    images = plan.sweep.measured_images(plan.quick) * unmeasured
    if images:
        point = plan.points[-1]
        rate, _ = time_training(
            load_pipeline(point.pipeline),
            plan.params(point),
            plan.data[plan.dataset(point)],
            plan.resources,
            seed=0,
        )
        seconds += images / rate / max(1, plan.resources.cpus)
    return seconds


def _classifier_seconds(data: TrainingData, plan: SweepPlan) -> float:
    """Seconds that measuring a training takes: mostly its classifier's training."""
    device = torch.device(plan.resources.driver_device)
    generator = torch.Generator(device).manual_seed(0)
    latents = torch.randn(len(data.train), 128, generator=generator, device=device)
    labels = torch.as_tensor(data.train.labels, device=device).long()
    began = time.perf_counter()
    with threads(plan.resources.cpus_per_trial):
        fit_classifier(
            latents,
            labels,
            classes=len(data.classes),
            seed=0,
            epochs=FORECAST_EPOCHS,
            precision=plan.resources.precision,
        )
    return (time.perf_counter() - began) * EPOCHS / FORECAST_EPOCHS

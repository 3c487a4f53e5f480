"""Adam with exponential moving averages against plain means of all gradients so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search.cells.store import TrainedCell
from search.grids.results import GridResult, GridRow, between, shown
from search.grids.sweep import Budget, Point, Sweep
from search.spaces.pipeline import METRIC, Scalar
from search.trials.trial import TrialImages
from trainers.data import DATASETS

ADAM, BOTH = "Adam: both exponential", "both plain"
AVERAGES: Mapping[str, Mapping[str, Scalar]] = {
    ADAM: {},
    "gradients plain": {"first_moment": "plain"},
    "squares plain": {"second_moment": "plain"},
    BOTH: {"first_moment": "plain", "second_moment": "plain"},
}
# One task without and one with labels; the small network keeps many trainings affordable.
TASKS: Mapping[str, Mapping[str, Scalar]] = {
    "mnist_autoencoder": {"optimizer": "adamw"},
    "cifar_supervised": {"optimizer": "adamw", "depth": 3, "block": "strided", "stem": "none"},
}
RATES = (0.0003, 0.001, 0.003, 0.01)
QUICK = (0.001, 0.003)
LOSS, CURVE = "train/loss", "curve"


def points(quick: bool) -> list[Point]:
    """A line for each task and pair of averages; the peak learning rate varies along it."""
    return [
        Point(
            line=line_of(pipeline, averages),
            x=rate,
            pipeline=pipeline,
            changes={**task, **changes, "lr": rate},
        )
        for pipeline, task in TASKS.items()
        for averages, changes in AVERAGES.items()
        for rate in (QUICK if quick else RATES)
    ]


def line_of(pipeline: str, averages: str) -> str:
    """`MNIST both plain`."""
    return f"{DATASETS[pipeline.partition('_')[0]].title} {averages}"


def measure(kept: TrainedCell, images: TrialImages, quick: bool) -> Mapping[str, Any]:
    """`curve`: the mean training loss of every epoch; `train/loss`: that of the last."""
    losses = [epoch[LOSS] for epoch in kept.curves]
    return {CURVE: losses, LOSS: losses[-1]}


def curve(row: GridRow) -> list[float]:
    """The mean over seeds of every epoch's training loss."""
    curves = [measured[CURVE] for measured in row.measured]
    return [sum(losses) / len(losses) for losses in zip(*curves, strict=True)]


def best(rows: Sequence[GridRow]) -> GridRow:
    """The row of the learning rate with the least training loss at the end."""
    return min(rows, key=lambda row: row.mean(LOSS))


def answer(outcome: GridResult) -> list[str]:
    """Compare the averages, each at its best rate: the final losses, and the epochs to them."""
    sentences = []
    for pipeline in TASKS:
        lines = {
            averages: best(outcome.lines[line_of(pipeline, averages)])
            for averages in AVERAGES
            if line_of(pipeline, averages) in outcome.lines
        }
        if ADAM in lines and len(lines) > 1:
            sentences += _sentences(pipeline, lines)
    return sentences


def _sentences(pipeline: str, lines: Mapping[str, GridRow]) -> list[str]:
    adam = lines[ADAM]
    losses = ", ".join(
        f"{row.mean(LOSS):.4g} with {'Adam' if name == ADAM else name} (rate {row.x:g})"
        for name, row in lines.items()
    )
    sentences = [f"{pipeline}: the training loss ends at {losses}, each at its best rate."]
    for name, row in lines.items():
        if name != ADAM:
            sentences.append(f"{pipeline}: {_against(name, row, adam)}")
    return sentences


def _against(name: str, row: GridRow, adam: GridRow) -> str:
    gap = between(row.metrics[LOSS], adam.metrics[LOSS])
    sure = "" if shown(gap) else ", not shown over the seeds"
    times = row.mean(LOSS) / adam.mean(LOSS)
    mine, theirs = curve(row), curve(adam)
    if gap.mean <= 0:
        return f"{name} ends no higher than Adam, at {times:.2f} times its loss{sure}."
    there = (epoch for epoch, loss in enumerate(theirs, start=1) if loss <= mine[-1])
    passed = next(there, len(theirs))
    half = len(mine) // 2
    fall = ""
    if half:
        falls = [100 * (1 - losses[-1] / losses[half - 1]) for losses in (mine, theirs)]
        fall = (
            f"; in the second half of the epochs its loss falls by {falls[0]:.0f} %, "
            f"Adam's by {falls[1]:.0f} %"
        )
    return (
        f"{name} ends at {times:.2f} times Adam's loss{sure}. Adam is there after epoch {passed} "
        f"of {len(theirs)}{fall}."
    )


SWEEP = Sweep(
    title="Exponential and plain averages in Adam",
    question="Does Adam need exponential moving averages, or would plain means of all gradients "
    "and of all their squares so far do?",
    points=points,
    x="peak learning rate",
    log_x=True,
    metrics=(LOSS, METRIC),
    answer=answer,
    measure=measure,
    measure_version=2,
    quick=Budget(seeds=2, epochs=4, train_size=3000),
)

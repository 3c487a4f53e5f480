"""Convolutional and fully connected encoders of equally many weights, shallow and deep."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from models import ConvEncoder, MLPEncoder, parameter_count
from search.grids.results import GridResult, GridRow, between, shown
from search.grids.sweep import Point, Sweep
from search.spaces.pipeline import METRIC, Scalar
from trainers.data import DATASETS

WEIGHTS = (25_000, 100_000, 400_000, 1_600_000)
QUICK = (25_000, 400_000)
TOLERANCE = 0.05  # share of the number of weights; a network that differs by more is left out
WIDEST = 2**13
TEST = "test/accuracy"

CONVOLUTIONAL, SHUFFLED = "CNN, 3 layers", "CNN, 3 layers, pixels shuffled"
ONE_LAYER = "CNN, 1 layer"
SHALLOW, DEEP = "MLP, 1 hidden layer", "MLP, 3 hidden layers"
# Nothing but the shape differs: no stem, and one optimizer for kernels and matrices.
CNN: Mapping[str, Scalar] = {"optimizer": "adamw", "block": "strided", "stem": "none"}
MLP: Mapping[str, Scalar] = {"optimizer": "adamw", "encoder": "mlp"}
SHAPES: Mapping[str, Mapping[str, Scalar]] = {
    CONVOLUTIONAL: {**CNN, "depth": 3},
    ONE_LAYER: {**CNN, "depth": 1},
    SHUFFLED: {**CNN, "depth": 3, "shuffle_pixels": True},
    SHALLOW: {**MLP, "depth": 1},
    DEEP: {**MLP, "depth": 3},
}


def points(quick: bool) -> list[Point]:
    """A line for each shape and data set; the number of weights, by the width, varies along it."""
    grid = []
    for dataset, spec in DATASETS.items():
        for shape, changes in SHAPES.items():
            for weights in QUICK if quick else WEIGHTS:
                width = width_for(weights, dataset, **changes)
                if width is not None:
                    grid.append(
                        Point(
                            line=f"{spec.title} {shape}",
                            x=weights,
                            pipeline=f"{dataset}_supervised",
                            changes={**changes, "width": width},
                        )
                    )
    return grid


@functools.cache
def width_for(weights: int, dataset: str, *, depth: int, **shape: Scalar) -> int | None:
    """The width whose encoder has about that many weights; None if no width is within 5 %.

    The count rises with the width, so a bisection finds the width.
    """
    count = functools.partial(_count, dataset=dataset, depth=depth, mlp="encoder" in shape)
    low, high = 1, WIDEST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= weights else (low, middle)
    best = min((low, high), key=lambda width: abs(count(width) - weights))
    return best if abs(count(best) / weights - 1) <= TOLERANCE else None


@functools.cache
def _count(width: int, *, dataset: str, depth: int, mlp: bool) -> int:
    spec = DATASETS[dataset]
    numbers = {"channels": spec.channels, "size": spec.size, "width": width, "depth": depth}
    build: Callable[..., nn.Module] = (
        functools.partial(MLPEncoder, norm="batch") if mlp else ConvEncoder
    )
    with torch.device("meta"):  # only shapes, without memory
        return parameter_count(build(**numbers))


def answer(outcome: GridResult) -> list[str]:
    """The gain from convolution at equal weights, its part due to geometry, the gain from depth."""
    sentences = []
    for dataset in dict.fromkeys(row.dataset for row in outcome.rows):
        title = DATASETS[dataset].title
        lines = {
            line.removeprefix(f"{title} "): rows
            for line, rows in outcome.lines.items()
            if rows[0].dataset == dataset
        }
        sentences += [f"{title}: {sentence}" for sentence in _sentences(lines)]
    return sentences


def _sentences(lines: Mapping[str, Sequence[GridRow]]) -> list[str]:
    convolutional, shallow, deep = lines[CONVOLUTIONAL], lines[SHALLOW], lines[DEEP]
    sentences = [
        _compared("the convolutional encoder", convolutional, "the MLP with one", shallow),
        _worth(convolutional[0], [*shallow, *deep]),
    ]
    largest = convolutional[-1]
    shuffled = next((row for row in lines[SHUFFLED] if row.x == largest.x), None)
    beside = next((row for row in shallow if row.x == largest.x), None)
    if shuffled is not None and beside is not None:
        sentences.append(_geometry(largest, shuffled, beside))
    sentences.append(_compared("an MLP with three hidden layers", deep, "one with one", shallow))
    if ONE_LAYER in lines:
        sentences.append(
            _compared("three convolution layers", convolutional, "one", lines[ONE_LAYER])
        )
    return sentences


def _compared(one: str, mine: Sequence[GridRow], other: str, theirs: Sequence[GridRow]) -> str:
    """The lead of one in points of accuracy, at every number of weights that both have."""
    by_weights = {row.x: row for row in theirs}
    parts = []
    for row in mine:
        if row.x not in by_weights:
            continue
        gap = between(row.metrics[TEST], by_weights[row.x].metrics[TEST])
        sure = "" if shown(gap) else " (not shown over the seeds)"
        parts.append(f"{100 * gap.mean:+.1f} with {row.x:,.0f} weights{sure}")
    if not parts:
        return f"{one} and {other} have no number of weights in common."
    return f"{one} against {other}, points of accuracy: {', '.join(parts)}."


def _worth(smallest: GridRow, others: Sequence[GridRow]) -> str:
    """Whether the smallest convolutional encoder already beats every fully connected one."""
    best = max(others, key=lambda row: row.mean(TEST))
    gap = between(smallest.metrics[TEST], best.metrics[TEST])
    how = "more" if gap.mean > 0 else "less"
    sure = "" if shown(gap) else ", not shown over the seeds"
    return (
        f"{smallest.x:,.0f} weights in convolutions reach {100 * smallest.mean(TEST):.1f} %, "
        f"{100 * abs(gap.mean):.1f} points {how} than the best MLP, which has {best.x:,.0f}{sure}."
    )


def _geometry(plain: GridRow, shuffled: GridRow, beside: GridRow) -> str:
    """The loss of the convolutional encoder under a fixed permutation of the pixels."""
    lost = between(plain.metrics[TEST], shuffled.metrics[TEST])
    rest = between(shuffled.metrics[TEST], beside.metrics[TEST])
    where = "still ahead of" if rest.mean > 0 else "behind"
    sure = "" if shown(rest) else ", which is not shown over the seeds"
    change = "costs it" if lost.mean > 0 else "brings it"
    return (
        f"with the pixels of every image in one and the same random order, which an MLP's weights "
        f"can undo, the convolutional encoder of {plain.x:,.0f} weights has "
        f"{100 * shuffled.mean(TEST):.1f} %: that {change} {100 * abs(lost.mean):.1f} points and "
        f"leaves it {100 * abs(rest.mean):.1f} points {where} the MLP{sure}."
    )


SWEEP = Sweep(
    title="Convolutional and fully connected encoders",
    question="With equally many weights, what does an encoder gain from convolutions, and what "
    "from depth?",
    points=points,
    x="weights of the encoder",
    log_x=True,
    metrics=(TEST, METRIC),
    answer=answer,
)

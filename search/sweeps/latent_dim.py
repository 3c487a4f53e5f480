"""All six pipelines against the size of the latent vector."""

from __future__ import annotations

from collections.abc import Sequence

from search.grids.results import GridResult, GridRow
from search.grids.sweep import Point, Sweep, by_latent_size
from search.grids.trend import Trend, trend
from search.spaces.pipeline import METRIC

DIMENSIONS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
QUICK = (2, 16, 128)
DATASETS = {"mnist": "MNIST", "cifar": "CIFAR-10"}
METHODS = ("autoencoder", "supervised", "contrastive")
TEST, MAE = "test/accuracy", "test/mae"
SLACK = 0.005  # half a point of accuracy
MAE_SLACK = 0.001  # a thousandth of the range of a pixel


def points(quick: bool) -> list[Point]:
    """A line for each pipeline; quick: the MNIST pipelines with three sizes."""
    lines = {
        f"{DATASETS[dataset]} {method}": f"{dataset}_{method}"
        for dataset in (["mnist"] if quick else DATASETS)
        for method in METHODS
    }
    return by_latent_size(lines, QUICK if quick else DIMENSIONS)


def answer(outcome: GridResult) -> list[str]:
    """Say whether accuracy rises, saturates or falls, and how the error changes."""
    sentences = []
    for line, rows in outcome.lines.items():
        if len(rows) < 2:
            continue
        sentences.append(_accuracy(line, trend(rows, TEST, slack=SLACK)))
        if all(MAE in row.metrics for row in rows):
            sentences.append(_error(line, rows))
    return sentences


def _accuracy(line: str, course: Trend) -> str:
    first, best, last = (100 * row.mean(TEST) for row in (course.first, course.best, course.last))
    sentence = f"{line}: {first:.1f} % at d = {course.first.x:g}"
    if course.best.x == course.last.x:
        sentence += f", the best is {best:.1f} % at the largest d, {course.last.x:g}"
        how = "it saturates" if course.saturates else "it rises to the end"
    else:
        sentence += f", the best is {best:.1f} % at d = {course.best.x:g}, {last:.1f} % at "
        sentence += f"d = {course.last.x:g}"
        how = "it rises, then falls" if course.falls else "it saturates; no fall is shown"
    if not course.saturates:
        return f"{sentence}: {how}."
    return (
        f"{sentence}. From d = {course.enough.x:g} on it is within half a point of the best: {how}."
    )


def _error(line: str, rows: Sequence[GridRow]) -> str:
    error = trend(rows, MAE, slack=MAE_SLACK, lower=True)
    sentence = (
        f"{line}: the mean absolute error of its reconstructions is {error.first.mean(MAE):.4f} "
        f"at d = {error.first.x:g}, the least is {error.best.mean(MAE):.4f} at d = {error.best.x:g}"
    )
    if error.saturates:
        return f"{sentence}; from d = {error.enough.x:g} on it is within {MAE_SLACK} of that."
    return f"{sentence}; it still falls at the largest d."


SWEEP = Sweep(
    title="Latent size",
    question="Does accuracy rise, saturate or fall with the size of the latent vector?",
    points=points,
    x="latent size d",
    log_x=True,
    metrics=(TEST, METRIC, MAE),
    answer=answer,
)

"""All six pipelines against the size of the latent vector."""

from __future__ import annotations

from collections.abc import Sequence

from search.pipeline import METRIC
from search.sweeping.outcome import Outcome, Row
from search.sweeping.sweep import Budget, Point, Sweep
from search.sweeping.trend import Trend, trend

DIMENSIONS = (2, 4, 8, 16, 32, 64, 128, 256, 512)
QUICK = (2, 16, 128)
DATASETS = {"mnist": "MNIST", "cifar": "CIFAR-10"}
METHODS = ("autoencoder", "supervised", "contrastive")
TEST, MAE = "test/accuracy", "test/mae"
SLACK = 0.005  # half a point of accuracy
MAE_SLACK = 0.001  # a thousandth of the range of a pixel


def points(quick: bool) -> list[Point]:
    """Quick: the MNIST pipelines with three sizes."""
    return [
        Point(
            line=f"{DATASETS[dataset]} {method}",
            x=size,
            pipeline=f"{dataset}_{method}",
            changes={"latent_dim": size},
        )
        for dataset in (["mnist"] if quick else DATASETS)
        for method in METHODS
        for size in (QUICK if quick else DIMENSIONS)
    ]


def answer(outcome: Outcome) -> list[str]:
    """Does accuracy rise, saturate, fall?"""
    told = []
    for line, rows in outcome.lines.items():
        if len(rows) < 2:
            continue
        told.append(_accuracy(line, trend(rows, TEST, slack=SLACK)))
        if all(MAE in row.metrics for row in rows):
            told.append(_error(line, rows))
    return told


def _accuracy(line: str, found: Trend) -> str:
    first, best, last = (100 * row.mean(TEST) for row in (found.first, found.best, found.last))
    said = f"{line}: {first:.1f} % at d = {found.first.x:g}"
    if found.best.x == found.last.x:
        said += f", the best is {best:.1f} % at the largest d, {found.last.x:g}"
        how = "it saturates" if found.saturates else "it rises to the end"
    else:
        said += f", the best is {best:.1f} % at d = {found.best.x:g}, {last:.1f} % at "
        said += f"d = {found.last.x:g}"
        how = "it rises, then falls" if found.falls else "it saturates; no fall is shown"
    if not found.saturates:
        return f"{said}: {how}."
    return f"{said}. From d = {found.enough.x:g} on it is within half a point of the best: {how}."


def _error(line: str, rows: Sequence[Row]) -> str:
    found = trend(rows, MAE, slack=MAE_SLACK, lower=True)
    said = (
        f"{line}: the mean absolute error of its reconstructions is {found.first.mean(MAE):.4f} "
        f"at d = {found.first.x:g}, the least is {found.best.mean(MAE):.4f} at d = {found.best.x:g}"
    )
    if found.saturates:
        return f"{said}; from d = {found.enough.x:g} on it is within {MAE_SLACK} of that."
    return f"{said}; it still falls at the largest d."


SWEEP = Sweep(
    title="Latent size",
    question="Does accuracy rise, saturate or fall with the size of the latent vector?",
    points=points,
    x="latent size d",
    log_x=True,
    metrics=(TEST, METRIC, MAE),
    answer=answer,
    full=Budget(seeds=3),
    quick=Budget(seeds=2, epochs=2, train_size=3000),
)

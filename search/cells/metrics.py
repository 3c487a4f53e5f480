"""The metrics of a cell, in the order of every table."""

from __future__ import annotations

from search.cells.store import TrainedCell
from search.spaces.pipeline import METRIC

TEST = "test/accuracy"
EPOCH, EVALUATION = "time/epoch_seconds", "time/evaluation_seconds"
# What a row gathers of its cells, in this order in every table.
METRICS = (
    "train/accuracy",
    METRIC,
    TEST,
    "valid/linear_accuracy",
    "train/mae",
    "valid/mae",
    "test/mae",
    "valid/elbo",
    "valid/kl",
    "test/elbo",
    "model/parameters",
    "time/train_seconds",
    EVALUATION,
    "memory/peak_gib",
)


def cell_metrics(kept: TrainedCell) -> dict[str, float]:
    """The metrics of one cell, its times summed over epochs, and test metrics if it was tested."""
    curves = kept.curves
    metrics = {name: value for name, value in curves[-1].items() if name in METRICS}
    metrics.pop(EVALUATION, None)  # of the last epoch alone
    if any(EPOCH in point for point in curves):
        metrics["time/train_seconds"] = sum(point.get(EPOCH, 0.0) for point in curves)
        metrics[EVALUATION] = sum(point.get(EVALUATION, 0.0) for point in curves)
    if kept.tested:
        test = kept.test
        metrics[TEST] = test["accuracy"]
        if "mae" in test:
            metrics["test/mae"] = test["mae"]
        if "elbo" in test:
            metrics["test/elbo"] = test["elbo"]
    return metrics

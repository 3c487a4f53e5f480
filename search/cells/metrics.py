"""The metrics of a cell, in the order of every table."""

from __future__ import annotations

from search.cells.store import TrainedCell
from search.spaces.pipeline import METRIC

TEST = "test/accuracy"
LINEAR, NEAREST = "test/linear_accuracy", "test/knn_accuracy"
# A measure on test images -> what its predictions are called among a cell's test outputs.
PREDICTIONS = {TEST: "predictions", LINEAR: "linear_predictions", NEAREST: "knn_predictions"}
EPOCH, EVALUATION = "time/epoch_seconds", "time/evaluation_seconds"
# What a row gathers of its cells, in this order in every table.
METRICS = (
    "train/accuracy",
    METRIC,
    TEST,
    "train/linear_accuracy",
    "valid/linear_accuracy",
    LINEAR,
    "train/knn_accuracy",
    "valid/knn_accuracy",
    NEAREST,
    "train/mae",
    "valid/mae",
    "test/mae",
    "valid/neg_mae",
    "valid/rankme",
    "test/rankme",
    "valid/view_information",
    "test/view_information",
    "valid/elbo",
    "valid/kl",
    "test/elbo",
    "model/parameters",
    "time/train_seconds",
    EVALUATION,
    "time/classifier_seconds",
    "time/linear_seconds",
    "time/knn_seconds",
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
        measured = ((name, name.removeprefix("test/")) for name in METRICS)
        metrics |= {name: test[key] for name, key in measured if key in test}
    return metrics

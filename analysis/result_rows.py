"""The rows of a rerun's results.json: found, counted and worded the same way everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.records import PipelineRecord
from search.cells.metrics import TEST
from search.cells.statistics import Estimate, estimate, welch

Row = Mapping[str, Any]
RANDOM = "random encoder"
SHARED = PCA, PIXELS = "PCA", "raw pixels"  # the same for all pipelines of a data set
# The protocol's three measures, as in the metrics' names -> as in the heads of tables.
MEASURES = {"accuracy": "classifier %", "linear_accuracy": "linear %", "knn_accuracy": "k-NN %"}


def champion(record: PipelineRecord) -> Row | None:
    """The champion's row; None where nothing is final."""
    return record.result["rows"][0] if record.result else None


def find(record: PipelineRecord, name: str) -> Row | None:
    """The row of that name: `ablation`, `defaults`, `random encoder`, `PCA`, `raw pixels`."""
    rows = record.result["rows"] if record.result else []
    return next((row for row in rows if row["name"] == name), None)


def mean(row: Row | None, metric: str) -> float | None:
    """Mean over seeds; None where the run did not measure it."""
    value = _estimate(row, metric)
    return None if value is None else value.mean


def with_interval(row: Row | None, metric: str, *, percent: bool = True) -> str | None:
    """`98.21 ± 0.30`: the mean and half of its 95 % interval, which one seed does not have.

    Args:
        percent: times 100 with two decimals; else as it is, with four.
    """
    value = _estimate(row, metric)
    if value is None:
        return None
    return value.text(2, factor=100) if percent else value.text(4)


def measured(row: Row | None, measure: str) -> tuple[str, str, str] | None:
    """`99.90`, `98.40`, `98.21 ± 0.30`: a measure on training, validation and test images.

    What was not measured is `-`; None where nothing was.
    """
    means = [mean(row, f"{images}/{measure}") for images in ("train", "valid")]
    train, valid = ("-" if value is None else f"{100 * value:.2f}" for value in means)
    test = with_interval(row, f"test/{measure}") or "-"
    return None if (train, valid, test) == ("-", "-", "-") else (train, valid, test)


def in_one_cell(row: Row | None, measure: str) -> str | None:
    """`99.90 / 98.40 / 98.21 ± 0.30`, which may be broken before the test images only."""
    three = measured(row, measure)
    if three is None:
        return None
    first, second, third = (part.replace(" ", "\u00a0") for part in three)
    return f"{first}\u00a0/\u00a0{second} /\u00a0{third}"


def _estimate(row: Row | None, metric: str) -> Estimate | None:
    """As the rerun made it, which knows the test images too; of older ones from the seeds."""
    if row is None:
        return None
    kept = row.get("means", {}).get(metric)
    if kept is None:
        values = row["metrics"].get(metric)
        return estimate(values) if values else None
    return Estimate(**kept)


def difference(first: Row | None, second: Row | None, metric: str = TEST) -> Estimate | None:
    """First - second over seeds, with Welch's interval; None where one was not measured."""
    one, other = (row["metrics"].get(metric) if row else None for row in (first, second))
    return welch(one, other) if one and other else None


def points(difference: Estimate | None) -> str | None:
    """`+1.20 ± 0.30`: a difference of accuracies in percentage points."""
    if difference is None:
        return None
    return difference.text(2, factor=100, sign="+")

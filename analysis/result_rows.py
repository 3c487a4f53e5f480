"""The rows of a rerun's results.json: found, counted and worded the same way everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.records import PipelineRecord
from search.cells.metrics import TEST
from search.cells.statistics import Estimate, welch
from search.spaces.pipeline import load_pipeline
from trainers.data import DATASETS
from trainers.evaluation import classifier_settings

Row = Mapping[str, Any]
# As search/finals/driver.py calls them, which would bring Ray along.
ABLATION, DEFAULTS, RANDOM = "ablation", "defaults", "random encoder"
SHARED = PCA, PIXELS = "PCA", "raw pixels"  # the same for all pipelines of a data set
EARLIER = " †"  # stands behind what an earlier version's classifier measured


def of_todays_classifier(result: Mapping[str, Any]) -> bool:
    """Whether a rerun was measured as one of today is: only such may stand side by side."""
    dataset = DATASETS[load_pipeline(result["pipeline"]).dataset]
    return bool(result.get("classifier") == classifier_settings(digits=dataset.digits))


def mark(result: Mapping[str, Any]) -> str:
    """† where an earlier version's classifier measured a rerun, to be set behind its name."""
    return "" if of_todays_classifier(result) else EARLIER


def named(record: PipelineRecord) -> str:
    """A pipeline's name, with † where an earlier version's classifier measured it."""
    return record.name + (mark(record.result) if record.result else "")


def champion(record: PipelineRecord) -> Row | None:
    """The champion's row; None where nothing is final."""
    return record.result["rows"][0] if record.result else None


def find(record: PipelineRecord, name: str) -> Row | None:
    """The row of that name: `ablation`, `defaults`, `random encoder`, `PCA`, `raw pixels`."""
    rows = record.result["rows"] if record.result else []
    return next((row for row in rows if row["name"] == name), None)


def mean(row: Row | None, metric: str) -> float | None:
    """Mean over seeds; None where the run did not measure it."""
    numbers = row["means"].get(metric) if row else None
    return None if numbers is None else float(numbers["mean"])


def with_interval(row: Row | None, metric: str, *, percent: bool = True) -> str | None:
    """`98.21 ± 0.30`: the mean and half of its 95 % interval, which one seed does not have.

    Args:
        percent: times 100 with two decimals; else as it is, with four.
    """
    numbers = row["means"].get(metric) if row else None
    if numbers is None:
        return None
    value = Estimate(**numbers)
    return value.text(2, factor=100) if percent else value.text(4)


def difference(first: Row | None, second: Row | None, metric: str = TEST) -> Estimate | None:
    """First - second over seeds, with Welch's interval; None where one was not measured."""
    one, other = (row["metrics"].get(metric) if row else None for row in (first, second))
    return welch(one, other) if one and other else None


def points(difference: Estimate | None) -> str | None:
    """`+1.20 ± 0.30`: a difference of accuracies in percentage points."""
    if difference is None:
        return None
    return difference.text(2, factor=100, sign="+")

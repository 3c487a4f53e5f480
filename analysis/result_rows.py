"""The rows of a rerun's results.json: found, counted and worded the same way everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.records import PipelineRecord
from search.finals.comparisons import Estimate, estimate
from search.finals.results import TEST
from search.pipeline import load_pipeline
from trainers.data import DATASETS
from trainers.evaluation import classifier_settings

Row = Mapping[str, Any]
# As search/finals/driver.py calls them, which would bring Ray along.
ABLATION, DEFAULTS, RANDOM = "ablation", "defaults", "random encoder"
SHARED = PCA, PIXELS = "PCA", "raw pixels"  # the same for all pipelines of a data set
EARLIER = " †"  # behind what an earlier version's classifier measured


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
    """Mean over seeds; None where it was not measured."""
    found = row["means"].get(metric) if row else None
    return None if found is None else float(found["mean"])


def with_interval(row: Row | None, metric: str, *, percent: bool = True) -> str | None:
    """`98.21 ± 0.30`: the mean and half of its 95 % interval, which one seed does not have.

    Args:
        percent: times 100 with two decimals; else as it is, with four.
    """
    found = row["means"].get(metric) if row else None
    if found is None:
        return None
    return interval(found["mean"], found["high"], percent=percent)


def interval(mean: float, high: float | None, *, percent: bool = True) -> str:
    """`98.21 ± 0.30` of a mean and the upper end of its interval, None where there is none."""
    factor, digits = (100, 2) if percent else (1, 4)
    said = f"{factor * mean:.{digits}f}"
    if high is not None:
        said += f" ± {factor * (high - mean):.{digits}f}"
    return said


def paired(first: Row | None, second: Row | None, metric: str = TEST) -> Estimate | None:
    """Mean and interval of first - second over the seeds that both have; None if none is."""
    if first is None or second is None:
        return None
    one, other = (
        dict(zip(row["seeds"], row["metrics"].get(metric, []), strict=False))
        for row in (first, second)
    )
    differences = [one[seed] - other[seed] for seed in one if seed in other]
    return estimate(differences) if differences else None


def points(difference: Estimate | None) -> str | None:
    """`+1.20 ± 0.30`: a difference of accuracies in percentage points."""
    if difference is None:
        return None
    said = f"{100 * difference.mean:+.2f}"
    if difference.high is not None:
        said += f" ± {100 * (difference.high - difference.mean):.2f}"
    return said

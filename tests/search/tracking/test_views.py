"""Saved views for MLflow's run table, unpacked again."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

import pytest

from search.spaces.pipeline import load_pipeline, pipeline_names
from search.tracking import views


def unpacked(view: str) -> dict[str, Any]:
    """The state that MLflow's page reads out of the experiment's tag."""
    method, _, packed = json.loads(view)["state"].partition(";")
    assert method == "deflate"
    return dict(json.loads(zlib.decompress(base64.b64decode(packed, validate=True))))


FINAL = views.final_view(rerun="0123456789ab", params=["width", "lr"])
TRIALS = views.trial_view(params=["width", "lr"])


def test_the_final_view_shows_one_rerun_the_best_test_accuracy_first() -> None:
    state = unpacked(FINAL)
    assert state["searchFilter"] == "tags.rerun = '0123456789ab'"
    assert state["selectedColumns"][:2] == ["tags.`row`", "tags.`champion`"]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`test/accuracy`", False)


def test_the_trial_view_shows_trials_the_best_first() -> None:
    state = unpacked(TRIALS)
    assert state["searchFilter"] == "tags.kind = 'trial'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`objective`", False)
    assert state["orderByKey"] in state["selectedColumns"]
    assert state["selectedColumns"][-2:] == ["params.`width`", "params.`lr`"]


@pytest.mark.parametrize(
    ("view", "splits"), [(FINAL, ("test", "valid", "train")), (TRIALS, ["valid"])]
)
def test_the_three_measures_stand_side_by_side(view: str, splits: Sequence[str]) -> None:
    """MLflow's page sorts the metrics by name, whatever the order of the view."""
    shown = sorted(c for c in unpacked(view)["selectedColumns"] if c.startswith("metrics."))
    for split in splits:
        first = shown.index(f"metrics.`{split}/accuracy`")
        assert [c.partition("_")[0] for c in shown[first + 1 : first + 3]] == [
            f"metrics.`{split}/knn",
            f"metrics.`{split}/linear",
        ]


@pytest.mark.parametrize("name", pipeline_names())
def test_the_views_of_every_pipeline_fit_into_a_tag(name: str) -> None:
    """MLflow 3.17 takes 20,000 characters."""
    space = load_pipeline(name).space
    final = views.final_view(rerun="0123456789ab", params=space)
    trials = views.trial_view(params=space)
    assert len(final) < 2000 and len(trials) < 2000
    for view in (final, trials):
        assert unpacked(view)["selectedColumns"][-len(space) :] == [
            f"params.`{parameter}`" for parameter in space
        ]

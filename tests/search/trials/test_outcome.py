"""How a trial ended, from what its worker reported last."""

from __future__ import annotations

import math
from typing import Any

import pytest

from search.outcomes import Outcome, outcome_of, reported_metrics

METRIC = "valid/accuracy"


def ended(result: dict[str, Any], **changes: Any) -> Outcome:
    return outcome_of(result, **{"metric": METRIC, "value": 0.5, "trained": True, **changes})


def test_a_trial_that_trained_to_the_end_is_complete() -> None:
    result = {"epoch": 3, METRIC: 0.5, "weights": "/mlruns/a.safetensors"}
    complete = Outcome(state="COMPLETE", value=0.5, weights="/mlruns/a.safetensors")
    assert ended(result) == complete
    assert ended(result, pruned=True) == complete, "the scheduler stops it after its last epoch"


@pytest.mark.parametrize(
    ("last", "said"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (None, "None")]
)
def test_a_trial_that_ended_without_a_number_failed(last: float | None, said: str) -> None:
    failed = Outcome(state="FAIL", error=f"{METRIC} ended as {said}")
    assert ended({METRIC: last, "weights": "w"}) == failed
    assert ended({METRIC: last, "weights": "w"}, pruned=True) == failed


def test_a_trial_that_never_measured_failed() -> None:
    assert ended({"epoch": 3}, value=None).error == f"{METRIC} ended as None"


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("pruned", [True, False])
def test_what_broke_is_told_whatever_else_happened(trained: bool, pruned: bool) -> None:
    result = {"error": "loss is nan at step 4", "traceback": "Trace", METRIC: 0.5, "weights": "w"}
    assert ended(result, trained=trained, pruned=pruned) == Outcome(
        state="FAIL", value=0.5, error="loss is nan at step 4", traceback="Trace"
    )


def test_a_process_that_died_failed() -> None:
    assert ended({}, died=True, trained=False, value=None) == Outcome(
        state="FAIL", error="the worker process died"
    )
    assert ended({"error": "out of memory"}, died=True).error == "out of memory"


def test_a_trial_that_was_stopped_early_is_pruned_or_interrupted() -> None:
    result = {"epoch": 1, METRIC: 0.5}
    assert ended(result, trained=False, pruned=True) == Outcome(state="PRUNED", value=0.5)
    assert ended(result, trained=False) == Outcome(state="INTERRUPTED", value=0.5)
    assert ended({}, trained=False, value=None) == Outcome(state="INTERRUPTED")


def test_weights_that_could_not_be_written_leave_the_trial_to_be_resumed() -> None:
    result = {"epoch": 3, METRIC: 0.5, "unsaved": "cannot write weights to /full"}
    found = ended(result)
    assert found == Outcome(state="INTERRUPTED", value=0.5, error="cannot write weights to /full")


def test_the_metrics_are_what_has_a_slash_and_is_a_number() -> None:
    """The others are Ray's own entries, and what the worker says beside its metrics."""
    given = {
        "train/loss": 2,
        "valid/accuracy": 0.5,
        "best/valid/accuracy": math.nan,
        "epoch": 3,
        "done": True,
        "time_total_s": 1.5,
        "weights": "/mlruns/a.safetensors",
        "date/time": "2025-01-01",
        "config/params/lr": 0.1,
        "config/seed": 7,
        "node/ip": None,
    }
    found = reported_metrics(given)
    assert list(found) == ["train/loss", "valid/accuracy", "best/valid/accuracy"]
    assert found["train/loss"] == 2.0 and isinstance(found["train/loss"], float)
    assert math.isnan(found["best/valid/accuracy"])
    assert reported_metrics({}) == {}

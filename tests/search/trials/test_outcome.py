"""How a trial ended, from what its worker reported last."""

from __future__ import annotations

import math
from typing import Any

import pytest

from search.spaces.goals import Aims
from search.trials.outcome import TrialOutcome, outcome_of

METRIC = "valid/accuracy"


def ended(result: dict[str, Any], **changes: Any) -> TrialOutcome:
    return outcome_of(result, **{"aims": Aims.of(METRIC), "value": 0.5, "trained": True, **changes})


def test_a_trial_that_trained_to_the_end_is_complete() -> None:
    result = {"epoch": 3, f"metrics/{METRIC}": 0.5, "weights": "/mlruns/a.safetensors"}
    complete = TrialOutcome(state="COMPLETE", value=0.5, weights="/mlruns/a.safetensors")
    assert ended(result) == complete
    assert ended(result, pruned=True) == complete, "the scheduler stops it after its last epoch"


@pytest.mark.parametrize(
    ("last", "said"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf"), (None, "None")]
)
def test_a_trial_that_ended_without_a_number_failed(last: float | None, said: str) -> None:
    failed = TrialOutcome(state="FAIL", error=f"{METRIC} ended as {said}")
    assert ended({f"metrics/{METRIC}": last, "weights": "w"}) == failed
    assert ended({f"metrics/{METRIC}": last, "weights": "w"}, pruned=True) == failed


def test_a_trial_that_never_measured_failed() -> None:
    assert ended({"epoch": 3}, value=None).error == f"{METRIC} ended as None"


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("pruned", [True, False])
def test_what_broke_is_told_whatever_else_happened(trained: bool, pruned: bool) -> None:
    result = {"error": "loss is nan at step 4", "traceback": "Trace", f"metrics/{METRIC}": 0.5}
    assert ended(result, trained=trained, pruned=pruned) == TrialOutcome(
        state="FAIL", value=0.5, error="loss is nan at step 4", traceback="Trace"
    )


def test_a_process_that_died_failed() -> None:
    assert ended({}, died=True, trained=False, value=None) == TrialOutcome(
        state="FAIL", error="the worker process died"
    )
    assert ended({"error": "out of memory"}, died=True).error == "out of memory"


def test_a_failure_tells_no_password() -> None:
    """It becomes a tag, an artifact and an attribute of the study."""
    text = "no answer from http://me:secret@host/path"
    found = ended({"error": text, "traceback": text})
    assert found.error == found.traceback == "no answer from http://***@host/path"


def test_a_trial_that_was_stopped_early_is_pruned_or_interrupted() -> None:
    result = {"epoch": 1, METRIC: 0.5}
    assert ended(result, trained=False, pruned=True) == TrialOutcome(state="PRUNED", value=0.5)
    assert ended(result, trained=False) == TrialOutcome(state="INTERRUPTED", value=0.5)
    assert ended({}, trained=False, value=None) == TrialOutcome(state="INTERRUPTED")


def test_weights_that_could_not_be_written_leave_the_trial_to_be_resumed() -> None:
    result = {"epoch": 3, METRIC: 0.5, "unsaved": "cannot write weights to /full"}
    found = ended(result)
    assert found == TrialOutcome(
        state="INTERRUPTED", value=0.5, error="cannot write weights to /full"
    )

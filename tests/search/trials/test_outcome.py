"""How a trial ended, from what its worker reported last."""

from __future__ import annotations

from typing import Any

import pytest

from search.spaces.goals import Aims
from search.trials.outcome import TrialOutcome, outcome_of

METRIC = "valid/accuracy"


def ended(result: dict[str, Any], **changes: Any) -> TrialOutcome:
    return outcome_of(result, **{"aims": Aims.of(METRIC), "value": 0.5, "trained": True, **changes})


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


def test_weights_that_could_not_be_written_leave_the_trial_to_be_resumed() -> None:
    result = {"epoch": 3, METRIC: 0.5, "halted": "cannot write weights to /full"}
    found = ended(result)
    assert found == TrialOutcome(
        state="INTERRUPTED", value=0.5, error="cannot write weights to /full"
    )

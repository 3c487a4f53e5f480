"""Records: which study is the main one, which values are the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.records import StudyRecord, TrialRecord, main_study, same


def trial(number: int, value: float | None, state: str = "COMPLETE") -> TrialRecord:
    return TrialRecord(
        number=number,
        state=state,
        run_id=str(number),
        value=value,
        params={},
        curve={},
        loss={},
        seconds=1.0,
    )


def test_the_main_study_holds_the_best_complete_trial() -> None:
    study = StudyRecord(
        name="best",
        run_id="0",
        trials=(trial(0, 0.8), trial(1, 0.9)),
        rungs=(),
        epochs=1,
        tags={},
        params={},
        seconds=1.0,
    )
    worse = replace(study, name="worse", trials=(trial(0, 0.85), trial(1, 0.95, "PRUNED")))
    empty = replace(study, name="empty", trials=(trial(0, None, "FAIL"),))
    assert main_study((worse, study, empty)) is study
    assert main_study((replace(empty, trials=()), empty)) is empty
    assert main_study(()) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (0.001, 0.00100001, True),
        (0.001, 0.00101, False),
        (16, 16, True),
        (16, 17, False),
        (1.0, 1, True),
        ("l1", "l1", True),
        ("l1", "l2", False),
        (0.0, 0.0, True),
    ],
)
def test_numbers_that_mlflow_has_rounded_are_the_same(
    one: object, other: object, expected: bool
) -> None:
    assert same(one, other) is expected

"""Records: which study is the main one, which values are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from analysis.records import StudyRecord, TrialRecord, main_study, same


def trial(number: int, value: float | None, state: str = "COMPLETE") -> TrialRecord:
    nothing: Any = {"params": {}, "curve": {}, "loss": {}, "seconds": 1.0}
    return TrialRecord(number=number, state=state, run_id=str(number), value=value, **nothing)


def test_the_main_study_holds_the_best_complete_trial() -> None:
    some: Any = {"rungs": (), "epochs": 1, "tags": {}, "params": {}, "seconds": 1.0}
    study = StudyRecord(name="best", run_id="0", trials=(trial(0, 0.8), trial(1, 0.9)), **some)
    worse = replace(study, name="worse", trials=(trial(0, 0.85), trial(1, 0.95, "PRUNED")))
    empty = replace(study, name="empty", trials=(trial(0, None, "FAIL"),))
    assert main_study((worse, study, empty)) is study
    assert main_study((replace(empty, trials=()), empty)) is empty
    other = replace(worse, tags={"goals": "valid/mae:min"}, trials=(trial(0, 0.99),))
    assert main_study((other, study)) is study, "one with other goals only where there is none"
    assert main_study((other, empty)) is other
    assert main_study(()) is None


def test_numbers_that_mlflow_has_rounded_are_the_same() -> None:
    for one, other in ((0.001, 0.00100001), (16, 16), (1.0, 1), ("l1", "l1"), (0.0, 0.0)):
        assert same(one, other) is True, one
    for one, other in ((0.001, 0.00101), (16, 17), ("l1", "l2")):
        assert same(one, other) is False, one

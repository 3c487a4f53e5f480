"""The rungs, Ray's idea of them, and who is stopped there."""

from __future__ import annotations

import pickle
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from search.cluster.asha import ResumableASHA, RungRecord, StopWhen, build_asha
from search.spaces.rungs import REDUCTION, rungs


@pytest.mark.parametrize(
    ("epochs", "grace", "expected"),
    [
        *((1, 1 / 9, ()), (10, 1, ()), (2, 1 / 9, (1,)), (6, 1 / 3, (2,)), (9, 1 / 9, (1, 3))),
        *((27, 1 / 9, (3, 9)), (28, 1 / 9, (3, 9, 27)), (100, 1 / 9, (11, 33, 99))),
    ],
)
def test_rungs(epochs: int, grace: float, expected: tuple[int, ...]) -> None:
    assert rungs(epochs, grace) == expected


@pytest.mark.parametrize("grace", [0.01, 1 / 27, 1 / 9, 0.2, 1 / 3, 0.5, 0.9, 1.0])
def test_ray_compares_at_the_same_epochs(grace: float) -> None:
    """A rung that only one side knows would be measured for nothing, or compared on nothing."""
    for epochs in range(1, 250):
        asha = build_asha(metric="valid/accuracy", epochs=epochs, grace=grace, record=RungRecord())
        milestones = {milestone for milestone, _ in asha._brackets[0]._rungs}
        below = tuple(sorted(m for m in milestones if m < epochs))
        assert below == rungs(epochs, grace), (epochs, grace)


def built(**changes: Any) -> tuple[ResumableASHA, RungRecord]:
    """With rungs after one and three of nine epochs."""
    record = RungRecord()
    settings = {"metric": "valid/accuracy", "epochs": 9, "grace": 1 / 9, **changes}
    return build_asha(record=record, **settings), record


def decisions(asha: ResumableASHA, name: str, *results: dict[str, float]) -> list[str]:
    """What becomes of a trial at each of its results."""
    trial = SimpleNamespace(trial_id=name, config={})
    asha.on_trial_add(None, trial)  # type: ignore[arg-type]
    return [asha.on_trial_result(None, trial, result) for result in results]


def at(epoch: int, value: float, metric: str = "valid/accuracy") -> dict[str, float]:
    return {"epoch": epoch, f"metrics/{metric}": value}


def test_of_those_that_reach_a_rung_one_in_three_goes_on() -> None:
    asha, record = built()
    on: list[str] = []
    for number in range(30):
        # Each is worse than all before it, so that what goes on is the first few alone.
        [decision] = decisions(asha, f"t{number}", at(1, 0.9 - number / 100))
        assert (decision == TrialScheduler.STOP) == (f"t{number}" in record.stopped)
        if decision == TrialScheduler.CONTINUE:
            on.append(f"t{number}")
    assert "t0" in on
    assert len(on) <= 30 / REDUCTION
    assert record.stopped == {f"t{number}" for number in range(30)} - set(on)


def test_what_was_reported_before_a_restart_counts() -> None:
    """Ten good trials are known; a bad one that comes after the restart is stopped by them."""
    for known, decision in ((False, TrialScheduler.CONTINUE), (True, TrialScheduler.STOP)):
        asha, record = built()
        if known:
            asha.recall({f"old {n}": {1: 0.9 + n / 1000, 3: 0.95} for n in range(10)})
        assert decisions(asha, "new", at(1, 0.5)) == [decision]
        assert record.stopped == ({"new"} if known else set())


def test_of_a_goal_to_minimise_the_smaller_values_go_on() -> None:
    asha, record = built(metric="valid/mae", mode="min")
    asha.recall({f"old {n}": {1: 0.5 + n / 1000} for n in range(10)})
    for name, value in (("worse", 0.9), ("better", 0.1)):
        decisions(asha, name, at(1, value, "valid/mae"))
    assert record.stopped == {"worse"}


def test_a_resumed_trial_is_not_asked_again_at_a_rung_that_it_passed() -> None:
    asha, record = built()
    record.passed["resumed"] = frozenset({1})
    asha.recall({f"old {n}": {1: 0.9, 3: 0.95} for n in range(10)})
    made = decisions(asha, "resumed", *(at(epoch, 0.5) for epoch in (1, 2, 3)))
    assert made == [TrialScheduler.CONTINUE, TrialScheduler.CONTINUE, TrialScheduler.STOP]
    assert record.stopped == {"resumed"}


def test_an_epoch_that_was_not_measured_stops_nobody() -> None:
    asha, record = built(grace=1 / 3)
    assert decisions(asha, "t", {"epoch": 1}, {"epoch": 2}) == 2 * [TrialScheduler.CONTINUE]
    assert record.stopped == set()


def test_everything_stops_once_the_event_is_set() -> None:
    event = threading.Event()
    stop = StopWhen(event.is_set)
    assert not stop.stop_all()
    assert not stop("t", {"epoch": 1})
    event.set()
    assert stop.stop_all()
    pickle.dumps(stop)  # Ray writes it to disk, locks and all

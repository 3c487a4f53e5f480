"""The rungs, and who is stopped there."""

from __future__ import annotations

import math
import pickle
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ray.tune.schedulers import TrialScheduler

from search.cluster.pruning import (
    CHANCE,
    ENDED,
    REDUCTION,
    RungRecord,
    RungScheduler,
    StopWhen,
)
from search.spaces.rungs import rungs

GOES_ON, STOPPED = TrialScheduler.CONTINUE, TrialScheduler.STOP
METRIC = "valid/accuracy"
EPOCHS = 9


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(1, ()), (2, (1,)), (3, (1, 2)), (6, (2, 3, 4)), (9, (2, 4, 7)), (100, (25, 50, 75))],
)
def test_rungs(epochs: int, expected: tuple[int, ...]) -> None:
    assert rungs(epochs) == expected


@pytest.fixture
def record() -> RungRecord:
    return RungRecord()


def ended(record: RungRecord, curves: list[dict[int, float]]) -> None:
    """Earlier trials that trained to the end."""
    record.recall({f"old {n}": (curve, curve[EPOCHS]) for n, curve in enumerate(curves)})


def decisions(
    record: RungRecord, *results: dict[str, float], name: str = "new", **settings: Any
) -> list[str]:
    """What becomes of a trial at each of its results."""
    scheduler = RungScheduler(record, **{"metric": METRIC, "epochs": EPOCHS, **settings})
    trial = SimpleNamespace(trial_id=name)
    return [scheduler.on_trial_result(None, trial, result) for result in results]


def at(epoch: int, value: float, metric: str = METRIC) -> dict[str, float]:
    return {"epoch": epoch, f"metrics/{metric}": value}


def test_a_trial_that_cannot_catch_up_is_stopped_and_one_that_can_goes_on(
    record: RungRecord,
) -> None:
    """All gain 0.1 to 0.2 from epoch 2 on, and the best ended at 0.9."""
    ended(record, [{2: 0.9 - gain, 9: 0.9} for gain in (0.1, 0.12, 0.15, 0.18, 0.2)])
    assert decisions(record, at(2, 0.5), name="far") == [STOPPED]
    assert decisions(record, at(2, 0.72), name="near") == [GOES_ON]
    assert record.stopped == {"far"}


def test_a_rung_that_tells_nothing_stops_nobody_who_may_still_win(record: RungRecord) -> None:
    draw = np.random.default_rng(0)
    ended(record, [{2: draw.random(), 4: 0.8 + end, 9: 0.9 + end} for end in draw.random(30) / 50])
    assert decisions(record, at(2, 0.3), at(4, 0.7)) == [GOES_ON, STOPPED]


def test_one_in_ten_of_the_trials_that_would_be_better_is_stopped(record: RungRecord) -> None:
    """Gains are normal and known from 300 trials: what is stopped has that chance. Seeded."""
    draw = np.random.default_rng(0)
    gains = draw.normal(0.1, 0.02, 300)
    ended(record, [{2: 0.5, 9: 0.5 + gain} for gain in gains])
    best = 0.5 + max(gains)
    edge = best - 0.1 - 0.02 * 1.2816  # of a normal gain, one in ten is greater than this
    assert pytest.approx(0.1) == CHANCE
    assert decisions(record, at(2, edge - 0.004), name="below") == [STOPPED]
    assert decisions(record, at(2, edge + 0.004), name="above") == [GOES_ON]


def test_gains_from_similar_values_weigh_most(record: RungRecord) -> None:
    """Poor trials gain much, good ones little: a good one is not expected to gain much."""
    poor = [{2: 0.3, 9: 0.7}, {2: 0.31, 9: 0.7}]
    good = [{2: 0.8 + n / 1000, 9: 0.86} for n in range(18)]
    ended(record, poor + good)
    assert decisions(record, at(2, 0.78), name="good") == [STOPPED]
    assert decisions(record, at(2, 0.83), name="better") == [GOES_ON]


@pytest.mark.parametrize("known", [0, 20])
def test_before_enough_trials_ended_the_best_third_passes(known: int, record: RungRecord) -> None:
    """With `asha` they are never enough: all gain so much that each could still win."""
    ended(record, [{4: 0.1, 9: 0.2 + n} for n in range(known)])
    settings = {"ended": math.inf} if known else {}
    on: list[str] = []
    for number in range(30):
        # Each is worse than all before it, so that what goes on is the first few alone.
        name, value = f"t{number}", 0.9 - number / 100
        [decision] = decisions(record, at(2, value), name=name, **settings)
        record.values[name] = {2: value}
        assert (decision == STOPPED) == (name in record.stopped)
        on += [name] if decision == GOES_ON else []
    assert "t0" in on
    assert len(on) <= 30 / REDUCTION
    assert record.stopped == {f"t{number}" for number in range(30)} - set(on)


def test_who_is_beyond_a_limit_or_was_stopped_is_not_the_best_to_beat(record: RungRecord) -> None:
    ended(record, [{2: 0.6 + n / 100, 9: 0.7 + n / 100} for n in range(ENDED)])
    record.recall({"infeasible": ({2: 0.9, 9: 0.99}, None), "stopped": ({2: 0.9, 4: 0.95}, None)})
    assert decisions(record, at(2, 0.63)) == [GOES_ON]


def test_of_a_goal_to_minimise_the_smaller_values_go_on(record: RungRecord) -> None:
    error = {"metric": "valid/mae", "mode": "min"}
    record.recall({f"old {n}": ({2: 0.5 + n / 1000}, None) for n in range(10)})
    for name, value, decision in (("worse", 0.9, STOPPED), ("better", 0.1, GOES_ON)):
        assert decisions(record, at(2, value, "valid/mae"), name=name, **error) == [decision]
    ended(record, [{2: 0.5, 9: 0.3 + n / 1000} for n in range(10)])
    for name, value, decision in (("worse", 0.6, STOPPED), ("better", 0.49, GOES_ON)):
        assert decisions(record, at(2, value, "valid/mae"), name=name, **error) == [decision]


def test_a_resumed_trial_is_not_asked_again_at_a_rung_that_it_passed(record: RungRecord) -> None:
    record.passed["new"] = frozenset({2})
    ended(record, [{2: 0.9, 4: 0.95, 9: 0.96 + n / 1000} for n in range(10)])
    assert decisions(record, *(at(e, 0.5) for e in (2, 3, 4))) == [GOES_ON, GOES_ON, STOPPED]
    assert record.stopped == {"new"}


def test_what_was_not_measured_lies_between_rungs_or_at_the_end_stops_nobody(
    record: RungRecord,
) -> None:
    """A network with a classifier of its own is measured after every epoch."""
    ended(record, [dict.fromkeys(range(1, 9), 0.9) | {9: 0.96 + n / 1000} for n in range(10)])
    between = [at(epoch, 0.1) for epoch in (1, 3, 5, 6, 8)]
    results = [{"epoch": 1}, at(2, float("nan")), *between, at(EPOCHS, 0.1)]
    assert decisions(record, *results) == [GOES_ON] * len(results)
    assert record.stopped == set()


def test_everything_stops_once_the_event_is_set() -> None:
    event = threading.Event()
    stop = StopWhen(event.is_set)
    assert not stop.stop_all()
    assert not stop("t", {"epoch": 1})
    event.set()
    assert stop.stop_all()
    pickle.dumps(stop)  # Ray writes it to disk, locks and all

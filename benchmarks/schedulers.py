"""Schedulers that this project's own is compared with in replayed searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from search.cluster.pruning import RungRecord

THIRD = 3  # one in so many goes on by ASHA
SHORT, SHORTS, TO_THE_END = 2, 18, 6  # epochs; trials; one in so many goes on


@dataclass
class Running:
    """A trial under way."""

    named: Any  # Ray's trial, as far as schedulers look at it
    curve: list[float]
    seconds: tuple[float, float]
    epoch: int = 0
    seen: dict[int, float] = field(default_factory=dict)  # epoch -> value


class RecordedASHA(ASHAScheduler):
    """Ray's, which tells the searcher whom it stopped."""

    record: RungRecord

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As Ray calls it."""
        decision = super().on_trial_result(tune_controller, trial, result)
        if decision == TrialScheduler.STOP:
            self.record.stopped.add(trial.trial_id)
        return decision


class Pausing(FIFOScheduler):
    """Pauses every trial at a rung; a free worker goes on with one of the best third of a rung's.

    As ASHA was published (Li et al., 2020, algorithm 2); Ray's stops for good.
    """

    def __init__(self, at: tuple[int, ...]) -> None:
        super().__init__()
        self.rungs = at
        self.here: dict[int, list[Running]] = {rung: [] for rung in at}

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As Ray calls it."""
        if (epoch := result["epoch"]) not in self.here:
            return TrialScheduler.CONTINUE
        self.here[epoch].append(trial.running)
        return TrialScheduler.PAUSE

    def next(self) -> Running | None:
        """The trial to go on with, None for a new one."""
        for rung, here in reversed(self.here.items()):
            best = sorted(here, key=lambda running: -running.seen[rung])[: len(here) // THIRD]
            if paused := [running for running in best if running.epoch == rung]:
                return paused[0]
        return None

    def dropped(self) -> Sequence[str]:
        """The trials that will not go on."""
        return ()


class Shorts(Pausing):
    """Pauses so many trials after a short time, and goes on with the best few of them."""

    def __init__(self, at: tuple[int, ...]) -> None:
        super().__init__(at)
        self._going_on: list[Running] = []
        self._left: list[str] = []

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As Ray calls it."""
        decision = super().on_trial_result(tune_controller, trial, result)
        batch = self.here[SHORT]
        if len(batch) == SHORTS:
            batch.sort(key=lambda running: -running.seen[SHORT])
            self._going_on += batch[: SHORTS // TO_THE_END]
            self._left = [one.named.trial_id for one in batch[SHORTS // TO_THE_END :]]
            batch.clear()
        return decision

    def next(self) -> Running | None:
        """The trial to go on with, None for a new one."""
        return self._going_on.pop(0) if self._going_on else None

    def dropped(self) -> Sequence[str]:
        """The trials that will not go on."""
        left, self._left = self._left, []
        return left


class Oracle(FIFOScheduler):
    """Stops at the first rung whatever will not reach the goal: no scheduler knows as much."""

    def __init__(self, record: RungRecord, rung: int) -> None:
        super().__init__()
        self._record, self._rung = record, rung

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As Ray calls it."""
        if result["epoch"] != self._rung or trial.reaches:
            return TrialScheduler.CONTINUE
        self._record.stopped.add(trial.trial_id)
        return TrialScheduler.STOP

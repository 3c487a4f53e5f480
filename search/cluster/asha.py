"""The scheduler that stops trials early, and the record that it shares with the searcher."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.stopper import Stopper

from search.spaces.rungs import REDUCTION, rungs
from search.trials.outcome import METRICS


@dataclass
class RungRecord:
    """The record that a scheduler and a searcher share, by Ray's ids of trials.

    Ray tells a searcher that a trial ended, but not why: the searcher cannot tell a time budget, an
    interruption and a rung apart.

    Attributes:
        stopped: trials that the scheduler stopped.
        passed: trial -> the epochs that an interrupted trial reports again; it passed their rungs
            before and is not judged a second time.
    """

    stopped: set[str] = field(default_factory=set)
    passed: dict[str, frozenset[int]] = field(default_factory=dict)


class ResumableASHA(ASHAScheduler):
    """ASHA that records which trials it stopped, and learns the values from before a restart.

    Args:
        record: shared with the searcher.
        settings: arguments of Ray's scheduler.
    """

    def __init__(self, record: RungRecord, **settings: Any) -> None:
        super().__init__(**settings)
        self._record = record
        self._sign = -1.0 if settings.get("mode") == "min" else 1.0

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As in Ray; records a STOP."""
        decision = super().on_trial_result(tune_controller, trial, result)
        trained = result.get("epoch", 0) >= self._max_t
        if decision == TrialScheduler.STOP and not trained:
            if result.get("epoch") in self._record.passed.get(trial.trial_id, ()):
                return TrialScheduler.CONTINUE
            self._record.stopped.add(trial.trial_id)
        return decision

    def recall(self, reported: Mapping[str, Mapping[int, float]]) -> None:
        """Fill the rungs with the values of earlier trials: any id -> epoch -> value."""
        for trial_id, values in reported.items():
            for epoch, value in sorted(values.items()):
                named: Any = SimpleNamespace(trial_id=trial_id)
                self._brackets[0].on_result(named, epoch, self._sign * value)


def build_asha(
    *, metric: str, mode: str = "max", epochs: int, grace: float, record: RungRecord
) -> ResumableASHA:
    """ASHA over the rungs of `rungs(epochs, grace)`."""
    first = rungs(epochs, grace)
    return ResumableASHA(
        record,
        time_attr="epoch",
        metric=METRICS + metric,
        mode=mode,
        max_t=max(epochs, 1),
        grace_period=first[0] if first else max(epochs, 1),
        reduction_factor=REDUCTION,
    )


class StopWhen(Stopper):
    """Ends the whole search once `over` says so."""

    def __init__(self, over: Callable[[], bool]) -> None:
        self._over = over

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial."""
        return False

    def stop_all(self) -> bool:
        """Whether to stop the search; Ray asks between any two events."""
        return self._over()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray writes its settings to disk, and nothing reads them."""
        return {}

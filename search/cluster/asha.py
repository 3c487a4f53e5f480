"""When a trial is stopped early: a scheduler that remembers whom it stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Mapping
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.stopper import Stopper

from search.rungs import REDUCTION, rungs


class RememberingASHA(ASHAScheduler):
    """ASHA that remembers: whom it stopped, and over a restart what was reported before.

    Ray tells a searcher that a trial ended, not why: a time budget, an interruption and a
    rung look alike to it.

    Args:
        stopped: the ids of the trials that it stopped are put there.
        decided: Ray's trial id -> the epochs that a resumed trial reports again; it was allowed to
            go on then, and is not asked a second time.
        settings: of Ray's scheduler.
    """

    def __init__(
        self,
        stopped: set[str],
        decided: Callable[[str], Container[int]],
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self._stopped = stopped
        self._decided = decided

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As in Ray; remembers a STOP."""
        decision = super().on_trial_result(tune_controller, trial, result)
        trained = result.get("epoch", 0) >= self._max_t
        if decision == TrialScheduler.STOP and not trained:
            if result.get("epoch") in self._decided(trial.trial_id):
                return TrialScheduler.CONTINUE
            self._stopped.add(trial.trial_id)
        return decision

    def recall(self, reported: Mapping[str, Mapping[int, float]]) -> None:
        """Fill the rungs with what earlier trials reported: any id -> epoch -> value."""
        for trial_id, values in reported.items():
            for epoch, value in sorted(values.items()):
                named: Any = SimpleNamespace(trial_id=trial_id)
                self._brackets[0].on_result(named, epoch, value)


def build_asha(
    *,
    metric: str,
    epochs: int,
    grace: float,
    stopped: set[str],
    decided: Callable[[str], Container[int]] = lambda trial_id: (),
) -> RememberingASHA:
    """ASHA over the rungs of `rungs(epochs, grace)`; the rest as `RememberingASHA` has it."""
    first = rungs(epochs, grace)
    return RememberingASHA(
        stopped,
        decided,
        time_attr="epoch",
        metric=metric,
        mode="max",
        max_t=max(epochs, 1),
        grace_period=first[0] if first else max(epochs, 1),
        reduction_factor=REDUCTION,
    )


class StopWhen(Stopper):
    """Ends the whole search once `event` is set."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No single trial is stopped here."""
        return False

    def stop_all(self) -> bool:
        """Asked between any two events."""
        return self._event.is_set()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray writes its settings to disk and is never asked to read them."""
        return {}

"""When a trial is stopped early: the rungs, and a scheduler that remembers whom it stopped."""

from __future__ import annotations

import threading
from typing import Any

from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.stopper import Stopper

REDUCTION = 3  # of the trials that reach a rung, one in three goes on (Li et al., 2020, ASHA)


def rungs(epochs: int, grace: float) -> tuple[int, ...]:
    """The epochs at which trials are compared: the grace period, then three times it, and so on.

    `grace` is a share of `epochs`. The last epoch is no rung: nothing is stopped there.
    (9, 1/9) -> (1, 3); (9, 1/3) -> (3,); (6, 1/3) -> (2,); (1, ...) -> ().
    """
    at = max(1, round(grace * epochs))
    found = []
    while at < epochs:
        found.append(at)
        at *= REDUCTION
    return tuple(found)


class RememberingASHA(ASHAScheduler):
    """ASHA that puts the ids of the trials that it stopped into `stopped`.

    Ray tells a searcher that a trial ended, not why: a time budget, an interruption and a
    rung look alike to it.
    """

    def __init__(self, stopped: set[str], **settings: Any) -> None:
        super().__init__(**settings)
        self._stopped = stopped

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As in Ray; remembers a STOP."""
        decision = super().on_trial_result(tune_controller, trial, result)
        if decision == TrialScheduler.STOP:
            self._stopped.add(trial.trial_id)
        return decision


def build_asha(*, metric: str, epochs: int, grace: float, stopped: set[str]) -> RememberingASHA:
    """ASHA over the rungs of `rungs(epochs, grace)`, noting in `stopped` whom it stopped."""
    first = rungs(epochs, grace)
    return RememberingASHA(
        stopped,
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

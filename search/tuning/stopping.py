"""Ends a search before its budget: a trial is good enough, or none has been better for long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from search.spaces.goals import feasible
from search.study.study import FrozenTrial, TrialState
from search.trials.config import TrialConfig
from search.trials.outcome import TrialOutcome
from search.tuning.plan import Plan


class Enough:
    """A listener that knows when to end.

    Args:
        plan: of the search; without `target` and `stop_after` it never ends early.
        trials: that ended in earlier calls.

    Attributes:
        reason: why the search ends, in words; None while it goes on.
    """

    def __init__(self, plan: Plan, trials: Iterable[FrozenTrial]) -> None:
        self._goal, self._target = plan.aims.goals[0], plan.target
        self._patience = plan.stop_after
        self._best: tuple[float, int] | None = None  # with the trial's number
        self._since = 0
        self.reason: str | None = None
        for trial in sorted(trials, key=lambda trial: str(trial.datetime_complete)):
            kept = trial.state is TrialState.COMPLETE and feasible(trial.constraints)
            self._count(trial.values[0] if kept else None, trial.number)

    def trial_started(self, config: TrialConfig) -> None:
        """Nothing."""

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None:
        """Nothing: a trial is worth what it has at its end."""

    def trial_ended(self, config: TrialConfig, outcome: TrialOutcome) -> None:
        """Count it, unless it is to be resumed."""
        if outcome.state != "INTERRUPTED":
            kept = outcome.state == "COMPLETE" and not outcome.beyond
            self._count(outcome.value if kept else None, config.number)

    def _count(self, value: float | None, number: int) -> None:
        self._since += 1
        if value is not None and (not self._best or self._goal.better(value, self._best[0])):
            self._best, self._since = (value, number), 0
        if self._best is None:
            return
        best, whose = self._best
        if self._target is not None and not self._goal.better(self._target, best):
            self.reason = f"trial {whose} reached the target of {self._target:g}: {best:.4f}"
        elif self._patience and self._since >= self._patience:
            self.reason = f"the last {self._since} trials brought none better than trial {whose}"

"""The searcher: Ray Tune asks it for trials and reports their results to it.

Ray's own `OptunaSearch` tells Optuna that a trial stopped at a rung is complete, and leaves a trial
without a finite value running for ever. This searcher calls a trial COMPLETE if it trained all its
epochs, PRUNED if the scheduler stopped it, FAIL if it broke, and INTERRUPTED if the search ended
before the trial did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ray.tune.search import Searcher

from search.cluster.pruning import RungRecord
from search.files import fault_injection
from search.spaces.goals import Aims
from search.trials.config import TrialConfig
from search.trials.outcome import Listener, TrialOutcome, metrics_of, outcome_of

MOST_STILLBORN = 3  # each of which Ray has tried four times
STILLBORN = (
    f"the processes of {MOST_STILLBORN} trials in a row died before their first epoch\n"
    "look for the cause in /tmp/ray/session_latest/logs"
)


class TrialSource(Protocol):
    """Gives configurations, and receives every result before any listener does."""

    def next_trial(self) -> TrialConfig | None:
        """The next configuration, None if there is none."""

    def reported_before(self, config: TrialConfig) -> Mapping[int, float]:
        """The values that a trial reported before it was interrupted: epoch -> value."""
        return {}

    def report(self, config: TrialConfig, epoch: int, value: float) -> None:
        """Receive a trial's finite value of the metric."""

    def end(self, config: TrialConfig, outcome: TrialOutcome) -> None:
        """Receive a trial's end."""

    def close(self) -> None:
        """End: no trial is under way any more, and the searcher asks for none."""


@dataclass
class _Live:
    """A trial between its proposal and its end."""

    config: TrialConfig
    epoch: int = 0
    value: float | None = None


class TrialSearcher(Searcher):
    """Hands a source's trials to Ray Tune.

    Args:
        source: gives the trials.
        aims: the goals and limits of the trials.
        listeners: receive every start, epoch and end.
        rungs: shared with the scheduler.

    Attributes:
        broken: why no further trial can be trained or kept, and what to do; None while trials can.
    """

    def __init__(
        self,
        source: TrialSource,
        *,
        aims: Aims,
        listeners: Sequence[Listener],
        rungs: RungRecord | None = None,
    ) -> None:
        super().__init__(metric=aims.metric, mode=aims.goals[0].direction[:3])
        self._source = source
        self._aims = aims
        self._listeners = listeners
        self._rungs = rungs or RungRecord()
        self._live: dict[str, _Live] = {}
        self._closed = False
        self._stillborn = 0  # trials in a row whose processes died before their first epoch
        self.broken: str | None = None

    def suggest(  # type: ignore[override]
        self, trial_id: str
    ) -> dict[str, Any] | str:
        """The next configuration, or FINISHED if there is none."""
        config = None if self._closed else self._source.next_trial()
        if config is None:
            return Searcher.FINISHED
        self._live[trial_id] = _Live(config)
        self._rungs.passed[trial_id] = frozenset(self._source.reported_before(config))
        fault_injection.reach("proposed")
        for listener in self._listeners:
            listener.trial_started(config)
        return config.to_json()

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Receive an epoch of a trial that goes on."""
        live = self._live.get(trial_id)
        epoch = int(result.get("epoch", 0))
        # Ray repeats the last result at the end, and a trial whose process died reports its first
        # epochs again.
        if live is None or epoch <= live.epoch:
            return
        live.epoch = epoch
        metrics = metrics_of(result)
        value = metrics.get(self._aims.metric)
        if value is not None and math.isfinite(value):
            live.value = float(value)
            self._source.report(live.config, epoch, live.value)
            self._rungs.values.setdefault(trial_id, {})[epoch] = live.value
        fault_injection.reach("reported")
        for listener in self._listeners:
            listener.epoch_ended(live.config, {"epoch": epoch, **metrics})

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Receive a trial's end; `result` is its last epoch, which Ray may have sent before."""
        if result:
            self.on_trial_result(trial_id, result)
        live = self._live.pop(trial_id, None)
        if live is None:
            return
        outcome = outcome_of(
            result or {},
            aims=self._aims,
            value=live.value,
            trained=live.epoch >= live.config.epochs,
            pruned=trial_id in self._rungs.stopped,
            died=error,
        )
        if outcome.state == "COMPLETE" and outcome.value is not None and not outcome.beyond:
            self._rungs.ended[trial_id] = outcome.value
        if outcome.state == "INTERRUPTED" and outcome.error:
            self.broken, self._closed = outcome.error, True
        self._stillborn = self._stillborn + 1 if error and not live.epoch else 0
        if self._stillborn == MOST_STILLBORN:
            self.broken, self._closed = STILLBORN, True
        self._source.end(live.config, outcome)
        fault_injection.reach("ended")
        for listener in self._listeners:
            listener.trial_ended(live.config, outcome)

    def interrupt(self) -> None:
        """End the trials that are under way as INTERRUPTED: the search ends before they do."""
        self._closed = True
        for trial_id in list(self._live):
            self.on_trial_complete(trial_id)
        self._source.close()

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the source keeps the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the source keeps the state."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray writes its searcher to disk now and then, and nothing reads it."""
        return {}

"""How a trial ended, and the interface of the listeners."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from search.errors import without_secrets
from search.spaces.goals import Aims, describe
from search.trials.config import TrialConfig

State = Literal["COMPLETE", "PRUNED", "FAIL", "INTERRUPTED"]


METRICS = "metrics/"


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """How a trial ended.

    Attributes:
        state: Optuna's name of the state, or INTERRUPTED for a trial that can be resumed.
        value: the last measured metric of the first goal, None if none was measured.
        second: that of the second goal, of a COMPLETE trial in a search that has two.
        violations: of a COMPLETE trial, each limit -> by what share of its bound it is exceeded.
        error: the error of a FAIL; for INTERRUPTED, the reason why no trial can go on for now.
        weights: the file of the kept weights, for COMPLETE.
    """

    state: State
    value: float | None = None
    error: str | None = None
    traceback: str | None = None
    weights: str | None = None
    second: float | None = None
    violations: Mapping[str, float] = field(default_factory=dict)

    @property
    def values(self) -> list[float]:
        """The goals' values of a COMPLETE trial."""
        return [value for value in (self.value, self.second) if value is not None]

    @property
    def beyond(self) -> str:
        """The limits that are exceeded, and by how much; empty if all are kept."""
        return describe(self.violations)


class Listener(Protocol):
    """Receives every trial's start, epochs and end, in the driver's main thread."""

    def trial_started(self, config: TrialConfig) -> None: ...

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None: ...

    def trial_ended(self, config: TrialConfig, outcome: TrialOutcome) -> None: ...


def metrics_of(result: Mapping[str, Any]) -> dict[str, float]:
    """A worker's `metrics`; Ray flattens them and adds entries of its own."""
    return {
        name.removeprefix(METRICS): value
        for name, value in result.items()
        if name.startswith(METRICS)
    }


def outcome_of(
    result: Mapping[str, Any],
    *,
    aims: Aims,
    value: float | None,
    trained: bool,
    pruned: bool = False,
    died: bool = False,
) -> TrialOutcome:
    """How a trial ended, from its last result.

    Args:
        result: the worker's last report, empty if it sent none.
        aims: the goals and limits, whose metrics must be finite numbers at the end.
        value: the last finite value of the first goal.
        trained: whether all epochs were reported.
        pruned: whether the scheduler stopped it.
        died: whether its process died.
    """
    if died or result.get("error"):
        return TrialOutcome(
            state="FAIL",
            value=value,
            error=without_secrets(str(result.get("error") or "the worker process died")),
            traceback=without_secrets(result.get("traceback") or "") or None,
        )
    if result.get("halted"):
        return TrialOutcome(state="INTERRUPTED", value=value, error=str(result["halted"]))
    if trained:
        metrics = metrics_of(result)
        for metric in aims.needed:
            last = metrics.get(metric)
            if last is None or not math.isfinite(last):
                return TrialOutcome(state="FAIL", error=f"{metric} ended as {last}")
        return TrialOutcome(
            state="COMPLETE",
            value=value,
            second=metrics[aims.goals[1].metric] if aims.several else None,
            violations=aims.violations(metrics),
            weights=result.get("weights"),
        )
    return TrialOutcome(state="PRUNED" if pruned else "INTERRUPTED", value=value)

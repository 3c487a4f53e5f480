"""How a trial ended, and the interface of the listeners."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from search.errors import without_secrets
from search.trials.config import TrialConfig

State = Literal["COMPLETE", "PRUNED", "FAIL", "INTERRUPTED"]


METRICS = "metrics/"


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """How a trial ended.

    Attributes:
        state: Optuna's name of the state, or INTERRUPTED for a trial that can be resumed.
        value: the last measured metric, None if none was measured.
        error: the error of a FAIL; for INTERRUPTED, the reason why no trial can go on for now.
        weights: the file of the kept weights, for COMPLETE.
    """

    state: State
    value: float | None = None
    error: str | None = None
    traceback: str | None = None
    weights: str | None = None


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
    metric: str,
    value: float | None,
    trained: bool,
    pruned: bool = False,
    died: bool = False,
) -> TrialOutcome:
    """How a trial ended, from its last result.

    Args:
        result: the worker's last report, empty if it sent none.
        metric: the metric that must be a finite number at the end.
        value: its last finite value.
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
    if result.get("unsaved"):
        return TrialOutcome(state="INTERRUPTED", value=value, error=str(result["unsaved"]))
    if trained:
        last = metrics_of(result).get(metric)
        if last is None or not math.isfinite(last):
            return TrialOutcome(state="FAIL", error=f"{metric} ended as {last}")
        return TrialOutcome(state="COMPLETE", value=value, weights=result.get("weights"))
    return TrialOutcome(state="PRUNED" if pruned else "INTERRUPTED", value=value)

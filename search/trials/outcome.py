"""How a trial ended, and who wants to know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from search.trial import TrialConfig

State = Literal["COMPLETE", "PRUNED", "FAIL", "INTERRUPTED"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a trial ended.

    Attributes:
        state: Optuna's word, or INTERRUPTED, which leaves the trial to be resumed.
        value: the last measured metric, None if there was none.
        error: what broke, for FAIL; for INTERRUPTED, why nothing can go on for now.
        weights: file of the weights that were kept, for COMPLETE.
    """

    state: State
    value: float | None = None
    error: str | None = None
    traceback: str | None = None
    weights: str | None = None


class Listener(Protocol):
    """Whoever wants to know what happens to the trials. Called in the driver's main thread."""

    def trial_started(self, config: TrialConfig) -> None: ...

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None: ...

    def trial_ended(self, config: TrialConfig, outcome: Outcome) -> None: ...


def reported_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """The metrics in what Ray hands on, without Ray's own entries."""
    return {
        name: float(number)
        for name, number in result.items()
        if "/" in name and isinstance(number, int | float) and not name.startswith("config/")
    }


def outcome_of(
    result: Mapping[str, Any],
    *,
    metric: str,
    value: float | None,
    trained: bool,
    pruned: bool = False,
    died: bool = False,
) -> Outcome:
    """How a trial ended, from its last result.

    Args:
        result: what the worker reported last, empty if nothing.
        metric: what must be a number at the end.
        value: its last finite value.
        trained: whether all epochs were reported.
        pruned: whether the scheduler stopped it.
        died: whether its process did.
    """
    if died or result.get("error"):
        return Outcome(
            state="FAIL",
            value=value,
            error=str(result.get("error") or "the worker process died"),
            traceback=result.get("traceback"),
        )
    if result.get("unsaved"):
        return Outcome(state="INTERRUPTED", value=value, error=str(result["unsaved"]))
    if trained:
        last = result.get(metric)
        if last is None or not math.isfinite(last):
            return Outcome(state="FAIL", error=f"{metric} ended as {last}")
        return Outcome(state="COMPLETE", value=value, weights=result.get("weights"))
    return Outcome(state="PRUNED" if pruned else "INTERRUPTED", value=value)

"""The trials of one study: how the best value grew, who was stopped where, learning curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.records import StudyRecord, TrialRecord
from analysis.style import COLOURS


@dataclass(frozen=True)
class StateLook:
    """How the trials of a state are drawn and called."""

    word: str
    colour: str
    marker: str
    filled: bool
    line: str


STATES: Mapping[str, StateLook] = {
    "COMPLETE": StateLook("complete", COLOURS[0], "o", True, "-"),
    "PRUNED": StateLook("pruned", COLOURS[1], "v", False, "--"),
    "FAIL": StateLook("failed", COLOURS[5], "X", True, ":"),
    "INTERRUPTED": StateLook("interrupted", COLOURS[9], "D", False, "-."),
}
BEYOND: Mapping[str, Any] = {"ls": "none", "marker": "x", "color": COLOURS[5], "ms": 9, "zorder": 4}


@dataclass(frozen=True, kw_only=True)
class History:
    """The n trials of a study in the order of their numbers.

    Attributes:
        numbers: (n,) as in MLflow.
        states: a key of `STATES` each.
        values: (n,) the last `valid/accuracy` in [0, 1], NaN where the trial measured none.
        best: (n,) the best value of the COMPLETE trials so far, NaN before the first.
        curves: epochs (m,) and accuracies (m,) of each trial, as far as it was measured.
        rungs, epochs: where trials may be stopped, and where they end.
        beyond: (n,) whether a complete trial is beyond a limit of its study.
    """

    numbers: np.ndarray
    states: tuple[str, ...]
    values: np.ndarray
    best: np.ndarray
    curves: tuple[tuple[np.ndarray, np.ndarray], ...]
    rungs: tuple[int, ...]
    epochs: int
    beyond: np.ndarray


def state_of(trial: TrialRecord) -> str:
    """Its state; one that a killed search left open counts as interrupted."""
    return trial.state if trial.state in STATES else "INTERRUPTED"


def compute_history(study: StudyRecord) -> History:
    """The trials of a study, in its order."""
    values = np.array([np.nan if t.value is None else t.value for t in study.trials], dtype=float)
    complete = np.array([t.state == "COMPLETE" and t.feasible for t in study.trials], dtype=bool)
    known = np.where(complete & ~np.isnan(values), values, -np.inf)
    best = np.maximum.accumulate(known)
    return History(
        numbers=np.array([trial.number for trial in study.trials], dtype=int),
        states=tuple(map(state_of, study.trials)),
        values=values,
        best=np.where(np.isinf(best), np.nan, best),
        curves=tuple(
            (np.array(sorted(t.curve), dtype=int), np.array([t.curve[e] for e in sorted(t.curve)]))
            for t in study.trials
        ),
        rungs=study.rungs,
        epochs=study.epochs,
        beyond=np.array([not trial.feasible for trial in study.trials], dtype=bool),
    )


def floor_of(values: np.ndarray) -> float:
    """Where a vertical axis begins so that a few trials gone wrong do not flatten the rest.

    (n,) -> three interquartile ranges below the lower quartile, or the minimum if that is higher.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return 0.0
    lower, upper = np.quantile(known, [0.25, 0.75])
    return float(max(known.min(), lower - 3 * (upper - lower) - 0.002))


def draw_history(axis: Axes, history: History) -> None:
    """A marker a trial, and the best complete value so far as steps.

    A value below the axis, or a trial without a value, stands on its lower edge.
    """
    low = floor_of(history.values)
    known = history.values[~np.isnan(history.values)]
    high = float(known.max()) if len(known) else 1.0
    margin = 0.07 * (high - low or 0.01)
    bottom = low - 1.6 * margin
    axis.step(history.numbers, history.best, where="post", color="0.2", lw=1.4, zorder=1)
    for state, look in STATES.items():
        rows = np.array([s == state for s in history.states], dtype=bool)
        if not rows.any():
            continue
        below = rows & ~(history.values >= low)
        heights = np.where(below, bottom + 0.4 * margin, history.values)
        x, y = history.numbers[rows], heights[rows]
        axis.plot(x, y, ls="none", ms=5.5, clip_on=False, zorder=3, **_marks(look))
        for row in np.flatnonzero(below & ~np.isnan(history.values)):
            place = history.numbers[row], heights[row] + 0.3 * margin
            # Upright: of fifty trials, several in a row may lie below.
            text = axis.text(*place, f"{history.values[row]:.2f}", ha="center", va="bottom")
            text.set(fontsize=6.5, rotation=90)
    crossed = np.where(history.values >= low, history.values, bottom + 0.4 * margin)
    axis.plot(history.numbers[history.beyond], crossed[history.beyond], **BEYOND)
    axis.set_ylim(bottom, high + margin)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(title="Best value so far", xlabel="trial number", ylabel="validation accuracy (share)")


def draw_curves(axis: Axes, history: History) -> None:
    """Validation accuracy against epochs, a line a trial, rungs as upright lines."""
    every = np.concatenate([np.empty(0), *(values for _, values in history.curves)])
    best = int(np.nanargmax(history.best)) if not np.isnan(history.best).all() else None
    for row, (epochs, values) in enumerate(history.curves):
        look = STATES[history.states[row]]
        axis.plot(epochs, values, ls=look.line, color=look.colour, lw=1, alpha=0.75, zorder=2)
        axis.plot(epochs[-1:], values[-1:], **_marks(look), ls="none", ms=4.5, zorder=3)
        if row == best:
            axis.plot(epochs, values, color="black", lw=2.2, zorder=4)
    low, high = floor_of(every), float(every.max()) if len(every) else 1.0
    margin = 0.07 * (high - low or 0.01)
    axis.set_ylim(low - margin, high + margin)
    for rung in history.rungs:
        axis.axvline(rung, color="0.4", lw=0.9, ls=(0, (1, 2)), zorder=1)
        text = axis.text(rung, 0.02, f"rung {rung}", transform=axis.get_xaxis_transform())
        text.set(fontsize=7, rotation=90, ha="right", va="bottom", color="0.3")
    axis.set_xlim(min(0.7, history.epochs * 0.9), history.epochs + 0.3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(title="Learning curves", xlabel="epochs trained", ylabel="validation accuracy (share)")


def _marks(look: StateLook) -> dict[str, Any]:
    face = look.colour if look.filled else "white"
    return {"marker": look.marker, "color": look.colour, "mfc": face}


def history_figure(history: History) -> Canvas:
    """History and learning curves side by side, one legend for both."""
    figure, (left, right) = style.axes(1, 2, height=3.4)
    draw_history(left, history)
    draw_curves(right, history)
    keys = [
        Line2D([], [], **_marks(look), ls=look.line, lw=1, label=f"{look.word} ({count})")
        for state, look in STATES.items()
        if (count := history.states.count(state))
    ]
    if history.beyond.any():
        keys.append(Line2D([], [], **BEYOND, label=f"beyond a limit ({history.beyond.sum()})"))
    keys.append(Line2D([], [], color="0.1", lw=2, label="best complete"))
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return figure

"""Pictures of a search's parameters: importance and slices."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullLocator
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from analysis import style
from analysis.history.parameters import Parameters
from analysis.history.trials import floor_of
from analysis.sentences import counted
from analysis.style import COLOURS


def draw_importance(axis: Axes, parameters: Parameters) -> None:
    """A bar a parameter, its share of the variation written beside it."""
    names = list(parameters.importance)[::-1]
    shares = [parameters.importance[name] for name in names]
    axis.barh(names, shares, color=COLOURS[0], height=0.65)
    for row, share in enumerate(shares):
        axis.text(share + 0.015, row, f"{share:.2f}", va="center", fontsize=7.5)
    axis.set_xlim(0, max(shares) + 0.18)
    axis.set_ylim(-0.6, len(names) - 0.4)
    axis.tick_params(axis="y", length=0, labelsize=7.5)
    axis.grid(False, axis="y")
    axis.set(title="Importance", xlabel="share of the variation")


def draw_slice(axis: Axes, parameters: Parameters, name: str) -> None:
    """Accuracy against one parameter, a point a trial, the chosen one a star.

    A few trials far below the others stand on the lower edge, as triangles.
    """
    distribution = parameters.space[name]
    values = [params[name] for params in parameters.params]
    if isinstance(distribution, CategoricalDistribution):
        places = np.array([distribution.choices.index(value) for value in values], dtype=float)
        axis.set_xticks(range(len(distribution.choices)), [str(c) for c in distribution.choices])
        axis.set_xlim(-0.5, len(distribution.choices) - 0.5)
    else:
        places = np.array(values, dtype=float)
        if getattr(distribution, "log", False):
            axis.set_xscale("log")
            axis.set_xticks(_round_places(distribution))
            axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            axis.xaxis.set_minor_locator(NullLocator())
        else:
            whole = isinstance(distribution, IntDistribution)
            axis.xaxis.set_major_locator(MaxNLocator(4, integer=whole))
        _limit(axis, distribution)
    low, high = floor_of(parameters.accuracy), float(parameters.accuracy.max())
    margin = 0.08 * (high - low or 0.01)
    below = parameters.accuracy < low
    heights = np.where(below, low - margin, parameters.accuracy)
    for rows, marker in ((~below, "o"), (below, "v")):
        if rows.any():
            x, y = places[rows], heights[rows]
            axis.plot(x, y, marker, color=COLOURS[0], alpha=0.75, mew=0, zorder=2)
    if parameters.chosen is not None:
        place, height = places[parameters.chosen], heights[parameters.chosen]
        axis.plot(place, height, "*", ms=11, color=COLOURS[5], mec="black", mew=0.8, zorder=4)
    axis.set_ylim(low - 2 * margin, high + 1.5 * margin)
    axis.tick_params(labelsize=7.5)
    axis.set_xlabel(name)


def _round_places(distribution: BaseDistribution) -> list[float]:
    """Two to four places on a logarithmic axis: powers of ten, or else its ends and its middle."""
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    if len(powers) >= 2:
        return [10.0**power for power in powers[:: -(-len(powers) // 4)]]
    return [low, float(f"{math.sqrt(low * high):.1g}"), high]


def _limit(axis: Axes, distribution: BaseDistribution) -> None:
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    if getattr(distribution, "log", False):
        margin = (high / low) ** 0.06
        axis.set_xlim(low / margin, high * margin)
    else:
        margin = 0.06 * (high - low or 1)
        axis.set_xlim(low - margin, high + margin)


def parameters_figure(parameters: Parameters) -> Canvas:
    """Importance, if there is one, and a slice for each parameter."""
    bars = bool(parameters.importance)
    cells = len(parameters.space) + bars
    columns = min((3, 4, 5), key=lambda c: (-cells % c, c))  # few empty cells
    rows = -(-cells // columns)
    figure, axes = style.axes(rows, columns, height=2.05 * rows + 0.2)
    if bars:
        draw_importance(axes[0], parameters)
    for axis, name in zip(axes[bars:], parameters.space, strict=False):
        draw_slice(axis, parameters, name)
    for place, axis in enumerate(axes):
        axis.set_visible(place < cells)
        if (place % columns == 0 and not (place == 0 and bars)) or place == 1 == bars:
            axis.set_ylabel("accuracy (share)")
        elif place >= bars:
            axis.tick_params(labelleft=False)
    axes[bars].set_title(f"After {counted(parameters.epoch, 'epoch')}")
    return figure

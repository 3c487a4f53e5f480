"""Metrics against a sweep's axis: a panel a metric, a line a method, intervals over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from analysis import style
from analysis.records import SweepRecord
from analysis.result_rows import PCA
from search.cells.statistics import Estimate
from trainers.data import DATASETS

LABELS = {
    "test/accuracy": "test accuracy (share)",
    "valid/accuracy": "validation accuracy (share)",
    "test/mae": "test error\n(mean absolute, pixels in [0, 1])",
    "valid/mae": "validation error\n(mean absolute, pixels in [0, 1])",
    "train/loss": "training loss at the end (no unit)",
    "latents/correlation": "mean absolute correlation\nof two coordinates",
    "latents/effective_rank": "effective rank (directions)",
    "walk/usual": "middles as near to a training\nimage as real digits (share)",
    "walk/ghosting": "ghosting of the middle\n(1: a cross-fade)",
    "walk/entropy": "entropy at the middle (nats)",
    "reconstruction/explained": "variance explained (share)",
    "samples/frechet": "Fréchet distance of samples\nto real digits",
    "samples/confidence": "classifier's confidence\non samples (share)",
    "samples/emptiness": "emptiness at samples\n(times that of real images)",
    "walk/sparsity": "emptiness at the middle\n(times that of real images)",
}
DASHES = ("-", "--", ":", "-.")
ROOM = 0.4  # above and below the means, as a share of their range
CLOSE = 1.3  # times the one before: closer labels would touch


def label_of(metric: str) -> str:
    """The axis label of a metric, with its unit."""
    if metric.startswith("few_labels/"):
        _, mode, labels = metric.split("/")
        return f"accuracy, {mode.replace('_', ' ')},\n{labels} labels (share)"
    return LABELS.get(metric, metric.replace("_", " "))


def metrics_of(record: SweepRecord) -> list[str]:
    """The sweep's metrics that were measured."""
    rows = record.outcome.rows
    return [name for name in record.sweep.metrics if any(name in row.metrics for row in rows)]


def draw_lines(axis: Axes, record: SweepRecord, metric: str, dataset: str | None = None) -> None:
    """One metric along every line, or those of a data set; bars are 95 % intervals over seeds."""
    for line, rows in record.outcome.lines.items():
        if dataset in (None, rows[0].dataset):
            drawn = {row.x: one for row in rows if (one := row.estimate(metric))}
            number = _number(record, line, dataset)
            look = {"label": _name(line, dataset), "ls": DASHES[number // len(style.COLOURS)]}
            if drawn:
                draw_estimates(axis, list(drawn), list(drawn.values()), number, **look)
    places = sorted({row.x for row in record.outcome.rows})
    if record.sweep.log_x:
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
        places = _apart(places)
    axis.xaxis.set_major_locator(FixedLocator(places))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.tick_params(axis="x", labelsize=8)
    axis.set(xlabel=record.sweep.x, ylabel=label_of(metric))
    _look_at_means(axis)


def _look_at_means(axis: Axes) -> None:
    """Cut bars that are much longer than all means are apart: of two seeds most are."""
    means = np.concatenate([line.get_ydata() for line in _drawn(axis)] or [np.zeros(0)])
    if len(means) < 2:
        return
    low, high = means.min(), means.max()
    room = ROOM * (high - low)
    bottom, top = axis.get_ylim()
    if room > 0 and top - bottom > high - low + 2 * room:
        axis.set_ylim(max(bottom, low - room), min(top, high + room))


def _drawn(axis: Axes) -> list[Line2D]:
    """The lines of means, without their bars."""
    return [bars[0] for bars in axis.containers if isinstance(bars[0], Line2D)]


def _name(line: str, dataset: str | None) -> str:
    """The name without its data set, in a panel of one data set."""
    return line if dataset is None else line.removeprefix(f"{DATASETS[dataset].title} ")


def _number(record: SweepRecord, line: str, dataset: str | None) -> int:
    """Which colour and marker: the pipeline's, or where it has several lines the name's."""
    lines = record.outcome.lines
    if line == PCA:
        return len(style.COLOURS) - 1
    pipelines = [rows[0].pipeline for name, rows in lines.items() if name != PCA]
    if len(set(pipelines)) == len(pipelines):
        return style.place_of(lines[line][0].pipeline)
    names = [_name(name, rows[0].dataset if dataset else None) for name, rows in lines.items()]
    return list(dict.fromkeys(names)).index(_name(line, dataset))


def _apart(places: Sequence[float]) -> list[float]:
    """Those of rising places whose labels do not run into each other on a logarithmic axis."""
    kept: list[float] = []
    for place in places:
        if not kept or place >= CLOSE * kept[-1]:
            kept.append(place)
    return kept


def draw_estimates(
    axis: Axes, places: Sequence[float], estimates: Sequence[Estimate], number: int, **look: Any
) -> None:
    """Means along an axis with bars of their intervals; `number` is the colour and the marker."""
    means = [one.mean for one in estimates]
    halves = [0.0 if one.high is None else one.high - one.mean for one in estimates]
    look |= {"color": style.COLOURS[number % len(style.COLOURS)]}
    look |= {"marker": style.MARKERS[number % len(style.MARKERS)], "lw": 1.3, "ms": 4}
    bars = halves if any(halves) else None
    axis.errorbar(places, means, yerr=bars, elinewidth=0.8, capsize=2, **look)


def lines_figure(record: SweepRecord) -> Canvas:
    """A panel a metric; of several data sets each has a column of its own."""
    metrics = metrics_of(record)
    datasets = list(dict.fromkeys(row.dataset for row in record.outcome.rows))
    several = len(datasets) > 1
    panels: list[tuple[str, str | None]] = [
        (metric, name) for metric in metrics for name in (datasets if several else [None])
    ]
    columns = len(datasets) if several else 2
    figure, axes = style.panels(len(panels), columns, width=9.0, height=2.9, more=0.7)
    for axis, (metric, name) in zip(axes, panels, strict=True):
        draw_lines(axis, record, metric, name)
        if name:
            axis.set_title(DATASETS[name].title)
        axis.set_visible(bool(_drawn(axis)))
    if len(record.outcome.lines) > 1:
        style.legend_below(figure, *axes, columns=4)
    return figure

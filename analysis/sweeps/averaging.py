"""Loss curves of Adam's averages, a panel a learning rate."""

from __future__ import annotations

import functools

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.document import Block, Figure
from analysis.records import Findings, SweepRecord
from search.grids.results import GridRow
from search.sweeps.averaging import AVERAGES, TASKS, best, curve, line_of

COLUMNS = 2
DASHES = ("-", "-", "--", "--")  # curves lie on each other where an average makes no difference
WIDTH, HEIGHT = 9.0, 2.7  # inches; the latter of a row of panels


def blocks(record: SweepRecord, findings: Findings) -> list[Block]:
    """A figure a task."""
    names = {pipeline: {line_of(pipeline, a): a for a in AVERAGES} for pipeline in TASKS}
    return [
        Figure(
            name=f"sweep_averaging_curves_{pipeline}",
            title=f"Loss curves, {pipeline}",
            caption="Mean training loss of every epoch, mean over seeds; a panel a peak learning "
            "rate. A thick line is at the rate where that average ends lowest.",
            draw=functools.partial(_curves, lines),
        )
        for pipeline, of in names.items()
        if (lines := {of[n]: rows for n, rows in record.outcome.lines.items() if n in of})
    ]


def _curves(lines: dict[str, list[GridRow]]) -> Canvas:
    rates = sorted({row.x for rows in lines.values() for row in rows})
    figure, axes = style.panels(len(rates), COLUMNS, width=WIDTH, height=HEIGHT, more=0.5)
    for axis, rate in zip(axes, rates, strict=True):
        axis.sharey(axes[0])
        for number, (averages, rows) in enumerate(lines.items()):
            [row] = [row for row in rows if row.x == rate]
            losses = curve(row)
            width = 2.6 if row is best(rows) else 1.1
            [drawn] = axis.plot(range(1, len(losses) + 1), losses, lw=width, label=averages)
            drawn.set(color=style.COLOURS[number], ls=DASHES[number])
            drawn.set(marker=style.MARKERS[number], ms=3.5)
        axis.set_yscale("log")
        axis.set_title(f"peak learning rate {rate:g}")
        axis.set(xlabel="epoch", ylabel="training loss (no unit)")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    style.legend_below(figure, axes[0])
    return figure

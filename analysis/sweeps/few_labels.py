"""Accuracy against the number of labels: frozen, fine-tuned, from scratch."""

from __future__ import annotations

import functools

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from analysis import style
from analysis.document import Block, Figure
from analysis.records import Findings, SweepRecord
from analysis.sweeps.lines import DASHES, draw_estimates
from search.cells.statistics import estimate
from search.grids.results import GridRow
from search.sweeps.few_labels import CHANCE, MEASURED, MODES, by_draw, counts_of

COLUMNS = 4


def blocks(record: SweepRecord, findings: Findings) -> list[Block]:
    """A figure a method: a panel a latent size."""
    outcome = record.outcome
    draws = len(by_draw(outcome.rows[0], MODES[0], counts_of(outcome)[0]))
    return [
        Figure(
            name=f"sweep_few_labels_{line.replace(' ', '_').lower()}",
            title=f"{line}: accuracy from few labels",
            caption=f"Accuracy on {MEASURED:,} validation images after training on few labels, "
            f"equally many of each class; means over {draws} draws of labels and their 95 % "
            "intervals. Frozen: a small head on the latents of the pretrained encoder. "
            "Fine-tuned: encoder and head together, from the same start. From scratch: the same "
            f"without pretraining. Dotted: chance, {100 * CHANCE:.0f} %.",
            draw=functools.partial(_panels, rows, counts_of(outcome)),
        )
        for line, rows in outcome.lines.items()
    ]


def _panels(rows: list[GridRow], counts: list[int]) -> Canvas:
    figure, axes = style.panels(len(rows), COLUMNS, width=9.5, height=2.5, more=0.5)
    for axis, row in zip(axes, rows, strict=True):
        for number, mode in enumerate(MODES):
            estimates = [estimate(by_draw(row, mode, count)) for count in counts]
            draw_estimates(axis, counts, estimates, number, ls=DASHES[number], label=mode)
        axis.axhline(CHANCE, color="0.4", lw=0.9, ls=(0, (1, 2)))
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator(counts))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.tick_params(axis="x", labelsize=7.5)
        axis.set_ylim(0, 1.02)
        axis.set(title=f"d = {row.x:g}", xlabel="labels")
    for axis in axes[::COLUMNS]:
        axis.set_ylabel("accuracy (share)")
    style.legend_below(figure, axes[0])
    return figure

"""Correlation matrices of latents, by latent size."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.document import Block, Figure
from analysis.records import Findings, SweepRecord
from search.grids.results import GridRow
from search.sweeps.decorrelation import CORRELATION, RANK

COLUMNS = 4


def blocks(record: SweepRecord, findings: Findings) -> list[Block]:
    """One figure: a matrix a size."""
    [rows] = record.outcome.lines.values()
    counts = sorted({measurement["latents"] for row in rows for measurement in row.measured})
    return [
        Figure(
            name="sweep_decorrelation_matrices",
            title="Correlation matrices by latent size",
            caption=f"Pearson correlations between the coordinates of {counts[0]:,} latents of "
            "validation images; a panel a latent size, first seed. Above each panel the mean "
            "absolute value off the diagonal and the effective rank, both means over seeds.",
            draw=lambda: _matrices(rows),
        )
    ]


def _matrices(rows: list[GridRow]) -> Canvas:
    figure, axes = style.panels(len(rows), COLUMNS, width=9.0, height=2.5, more=0.3)
    for axis, row in zip(axes, rows, strict=True):
        matrix = np.atleast_2d(np.array(row.measured[0]["matrix"]))  # (D, D), in [-1, 1]
        drawn = axis.imshow(matrix, cmap="PuOr", vmin=-1, vmax=1, interpolation="nearest")
        axis.grid(False)
        edge = len(matrix) - 1
        axis.set_xticks([0, edge], ["1", f"{edge + 1}"])
        axis.set_yticks([0, edge], ["1", f"{edge + 1}"])
        title = f"d = {row.x:g}\n|r| {row.mean(CORRELATION):.3f}, rank {row.mean(RANK):.1f}"
        axis.set_title(title, fontsize=8.5, fontweight="normal")
        axis.set_xlabel("coordinate", fontsize=8)
    figure.colorbar(drawn, ax=axes, shrink=0.7, label="correlation")
    return figure

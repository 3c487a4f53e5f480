"""Digits as the best architecture of the sweep `depth` reconstructs them, beside the worst."""

from __future__ import annotations

import numpy as np

from analysis.document import Block, Figure
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.reconstructions.errors import absolute_errors
from analysis.records import Findings, SweepRecord
from search.grids.results import GridRow
from search.sweeps.depth import CHOSEN_BY, best

SHOWN = 10  # images, one of each class
WIDTH = 9.0  # inches


def blocks(record: SweepRecord, findings: Findings) -> list[Block]:
    """Images, the best and the worst reconstruction of them."""
    rows = {
        "best": best(record.outcome),
        "worst": max(record.outcome.rows, key=lambda row: row.mean(CHOSEN_BY)),
    }
    names = {which: f"{row.line}, d = {row.x:g}" for which, row in rows.items()}
    title = "Reconstructions of the best and the worst architecture"
    return [
        Figure(
            name="sweep_depth_reconstructions",
            title=title,
            caption="Above: one random validation image of each class. Below: as reconstructed by "
            f"the best architecture on validation images ({names['best']}) and by the worst "
            f"({names['worst']}); first seeds. The number above each is its mean absolute error.",
            draw=lambda: figure_of(_compose(record, rows, findings.seed), title=title),
        )
    ]


def _compose(record: SweepRecord, rows: dict[str, GridRow], seed: int) -> Mosaic:
    models = {which: record.load(row, 0) for which, row in rows.items()}
    shown = next(iter(models.values()))
    rng = np.random.default_rng([seed, 3])
    labels = shown.images.labels
    chosen = [rng.choice(np.flatnonzero(labels == label)) for label in np.unique(labels)][:SHOWN]
    images = shown.images.images[chosen]
    lines = [ImageRow(images=images, label="images")]
    for which, model in models.items():
        decoded = model.decode(model.encode(images))
        row = rows[which]
        size = f"{row.changes['depth']} layers,\nwidth {row.changes['width']},\nd = {row.x:g}"
        words = [f"{error:.3f}" for error in absolute_errors(images, decoded)]
        lines.append(ImageRow(images=decoded, label=f"{which}:\n{size}", words=words))
    return Mosaic(rows=lines, width=WIDTH)

"""Strips between digits, by latent size."""

from __future__ import annotations

import functools

import numpy as np

from analysis.document import Block, Figure
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.records import Findings, SweepRecord, scaled
from search.sweeps.interpolation import STEPS
from trainers.measures.interpolation import ghosting, path

PAIRS = ((4, 7), (8, 9), (3, 4), (5, 1), (2, 6), (0, 1))
WIDTH = 9.5  # inches


def blocks(record: SweepRecord, findings: Findings) -> list[Block]:
    """A figure a pair: the same two validation images for every size."""
    return [
        Figure(
            name=f"sweep_interpolation_{one}_{other}",
            title=f"From {one} to {other}, by latent size",
            caption="Eleven equal steps between the latents of the same two random validation "
            "images, alpha from 0.0 to 1.0 (above), decoded; a row a latent size, first seed. At "
            "the left the ghosting of the step in the middle: 1 for a mere cross-fade of both "
            "ends, 0 for a picture as decided as they are. The last row mixes the pixels.",
            draw=functools.partial(_strips, record, (one, other), findings.seed),
            alt=f"Rows of eleven digits each, from {one} to {other}.",
        )
        for one, other in PAIRS
    ]


def _strips(record: SweepRecord, pair: tuple[int, int], seed: int):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng([seed, *pair])
    [line] = record.outcome.lines.values()
    rows: list[ImageRow] = []
    ends: np.ndarray | None = None
    alphas = [f"{alpha:.1f}" for alpha in np.linspace(0, 1, STEPS)]
    for row in line:
        model = record.load(row, 0)
        if ends is None:
            labels = model.images.labels
            chosen = [rng.choice(np.flatnonzero(labels == label)) for label in pair]
            ends = model.images.images[chosen]
        latents = model.encode(ends)
        decoded = model.decode(path(latents[0], latents[1], STEPS))
        ghost = ghosting(decoded)[STEPS // 2]
        label = f"d = {row.x:g}\nghosting {ghost:.2f}"
        rows.append(ImageRow(images=decoded, label=label, words=alphas if not rows else ()))
    assert ends is not None
    first, second = scaled(ends)
    rows.append(ImageRow(images=path(first, second, STEPS), label="pixels, mixed"))
    title, below = f"From {pair[0]} to {pair[1]}", "alpha, share of the second image"
    return figure_of(Mosaic(rows=rows, width=WIDTH), title=title, x_label=below)

"""Draws walks between latents: pictures in rows, measures along the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from analysis import style
from analysis.image_grid import ImageRow, Mosaic
from analysis.interpolation.measures import MIXES, Interpolation

WIDTH = 9.0  # inches
BETWEEN, WITHIN, MIXED = style.COLOURS[0], style.COLOURS[5], "0.35"


@dataclass(frozen=True)
class Line:
    """A measure as it is drawn: an attribute of `Paths`, of `Real` where real images have it."""

    measure: str
    title: str
    unit: str


LINES = (
    Line("nearest", "Is it near to real images?", "L2 to the nearest image,\npixels in [0, 1]"),
    Line("entropy", "Is the classifier sure?", "entropy, nats"),
    Line("sparsity", "Is the latent space filled?", "distance to the 10th\ntraining latent"),
    Line("ghosting", "Is it a cross-fade?", "ghosting: 1 cross-fade, 0 decided"),
)


def compose_walks(interpolation: Interpolation, pairs: Sequence[int]) -> Mosaic:
    """Each shown pair in two rows: the latents decoded, and the pixels mixed."""
    steps = interpolation.decoded.shape[1]
    rows = []
    for number, pair in enumerate(pairs):
        chances = interpolation.shown.confidence[pair]
        predicted = [interpolation.classes[label] for label in interpolation.shown.predicted[pair]]
        words = [f"{name}\n{chance:.2f}" for name, chance in zip(predicted, chances, strict=True)]
        if number == 0:
            words = [f"{step / (steps - 1):.2f}\n{word}" for step, word in enumerate(words)]
        name = interpolation.named(pair)
        decoded, mixed = interpolation.decoded[pair], interpolation.mixed[pair]
        rows.append(ImageRow(images=decoded, label=f"{name}:\nlatents, decoded", words=words))
        rows.append(ImageRow(images=mixed, label=f"{name}:\npixels, mixed"))
    return Mosaic(rows=rows, width=WIDTH)


def draw_measure(axis: Axes, interpolation: Interpolation, line: Line) -> None:
    """One measure along the walks of many pairs, with that of real images."""
    between = getattr(interpolation.between, line.measure)
    alpha = np.linspace(0, 1, between.shape[1])
    inner = np.isfinite(between).all(axis=0)  # ghosting has no value at the ends
    low, median, high = np.quantile(between[:, inner], (0.1, 0.5, 0.9), axis=0)
    axis.fill_between(alpha[inner], low, high, color=BETWEEN, alpha=0.18, lw=0)
    axis.plot(alpha[inner], median, "o-", color=BETWEEN, label="between different classes")
    within = np.median(getattr(interpolation.within, line.measure)[:, inner], axis=0)
    axis.plot(alpha[inner], within, "s--", color=WITHIN, label="within one class")
    if f"mixed_{line.measure}" in MIXES:
        mixed = np.median(getattr(interpolation.between, f"mixed_{line.measure}"), axis=0)
        axis.plot(alpha, mixed, "^:", color=MIXED, label="pixels mixed, different classes")
    real = getattr(interpolation.real, line.measure, None)
    if real is not None:
        axis.axhline(np.median(real), color="black", lw=1.1, label="real images: median")
        most = np.quantile(real, 0.9)
        axis.axhline(most, color="black", lw=1.1, ls="-.", label="real images: 90 %")
    axis.set_ylim(*((-0.03, 1.03) if line.measure == "ghosting" else (0, None)))
    axis.set_xlim(-0.03, 1.03)
    axis.set_title(line.title)
    axis.set_xlabel("alpha, share of the second image")
    axis.set_ylabel(line.unit)

"""Draws reconstructions: pictures in rows, histograms of their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.image_grid import ImageRow, Mosaic
from analysis.reconstructions.errors import Reconstructions, absolute_errors

ERROR_TOP = 0.3  # black in pictures of the error
BINS = 25
WIDTH = 8.0  # inches


def compose_five(reconstructions: Reconstructions) -> Mosaic:
    """The five images, their reconstructions, PCA's, and where the decoder's error lies."""
    image, decoded, by_pca = _pictures(reconstructions, reconstructions.five)
    away = np.abs(image - decoded).mean(axis=1)
    words = [f"MAE {error:.4f}" for error in absolute_errors(image, by_pca)]
    rows = [
        *_pair_of_rows(reconstructions, reconstructions.five, "image"),
        ImageRow(images=by_pca, label="PCA", words=words),
        ImageRow(
            images=1 - np.clip(away / ERROR_TOP, 0, 1)[:, None],
            label=f"absolute error\n(white: 0, black:\n{ERROR_TOP} or more)",
        ),
    ]
    return Mosaic(rows=rows, width=WIDTH, font=8.5)


def compose_extremes(reconstructions: Reconstructions) -> Mosaic:
    """The best images over their reconstructions, and the worst."""
    best = _pair_of_rows(reconstructions, reconstructions.best, "best")
    worst = _pair_of_rows(reconstructions, reconstructions.worst, "worst")
    return Mosaic(rows=[*best, *worst], width=WIDTH, font=8.5)


def _pair_of_rows(reconstructions: Reconstructions, rows: np.ndarray, label: str) -> list[ImageRow]:
    """(n,) rows of the split -> images with their classes, reconstructions with their errors."""
    images, decoded, _ = _pictures(reconstructions, rows)
    names = [reconstructions.classes[label] for label in reconstructions.labels[rows]]
    errors = [f"MAE {error:.4f}" for error in reconstructions.errors[rows]]
    return [
        ImageRow(images=images, label=label, words=names),
        ImageRow(images=decoded, label="reconstruction", words=errors),
    ]


def _pictures(reconstructions: Reconstructions, rows: np.ndarray) -> list[np.ndarray]:
    """Of (n,) rows: images, reconstructions, PCA's reconstructions, (n, C, H, W) each."""
    shown = [reconstructions.pictures[int(row)] for row in rows]
    return [np.stack(part) for part in zip(*shown, strict=True)]


def errors_figure(reconstructions: Reconstructions) -> Canvas:
    """A histogram for each class, one above the other, the hardest class at the top."""
    figure, [axis] = style.axes(width=6.0, height=3.8)
    errors = reconstructions.errors
    edges = np.linspace(errors.min(), errors.max() + 1e-12, BINS + 1)
    order = reconstructions.hardest_first[::-1]
    of_class = [reconstructions.of_class(label) for label in order]
    heights = [np.histogram(values, edges, density=True)[0] for values in of_class]
    tallest = max(float(height.max()) for height in heights)
    look: Any = {"facecolor": style.COLOURS[4], "edgecolor": "0.25", "linewidth": 0.5}
    for place, (values, height) in enumerate(zip(of_class, heights, strict=True)):
        layer = 2 * (len(order) - place)
        steps = place + 1.8 * height / tallest
        axis.stairs(steps, edges, baseline=place, fill=True, zorder=layer, **look)
        axis.plot([values.mean()] * 2, [place, place + 0.55], color="black", zorder=layer)
    axis.set_yticks(range(len(order)), [reconstructions.classes[label] for label in order])
    axis.set_ylim(-0.2, len(order) + 1)
    axis.set(title="By class, the hardest at the top", ylabel="class")
    axis.set_xlabel("mean absolute error of an image, pixels in [0, 1]")
    return figure

"""Pictures of points in the plane, classes told apart by colour and marker."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from analysis import style
from analysis.tsne.embedding import NAMES, Embedding
from analysis.tsne.views import Views


def draw_embedding(axis: Axes, embedding: Embedding, labels: np.ndarray, classes: int) -> None:
    """N points, (N,) labels: a marker and a colour a class."""
    plane = embedding.plane
    order = np.random.default_rng(0).permutation(len(plane))  # no class lies on top of all others
    for part in np.array_split(order, 3):
        for label in range(classes):
            x, y = plane[part[labels[part] == label]].T
            # Thousands of vector markers would make a heavy page.
            axis.plot(x, y, ls="none", ms=3.2, alpha=0.8, mew=0, rasterized=True, **_look(label))
    unit = "pixels' or latents' own unit" if embedding.method == "pca" else "no unit"
    for number, name_axis in ((1, axis.set_xlabel), (2, axis.set_ylabel)):
        name_axis(f"{NAMES[embedding.method]} {number} ({unit})")
    axis.tick_params(labelsize=7.5)


def _look(label: int) -> dict[str, Any]:
    colours, markers = style.COLOURS, style.MARKERS
    return {"color": colours[label % len(colours)], "marker": markers[label % len(markers)]}


def views_figure(views: Views, classes: tuple[str, ...]) -> Canvas:
    """Latents beside images, one legend for both."""
    figure, (left, right) = style.axes(1, 2, height=4.5)
    draw_embedding(left, views.latents, views.labels, len(classes))
    draw_embedding(right, views.pixels, views.labels, len(classes))
    latents, pixels = views.dimensions
    left.set_title(f"Latents ({latents} numbers)")
    right.set_title(f"Images ({pixels} pixel values)")
    keys = [
        Line2D([], [], ls="none", ms=5.5, label=name, **_look(label))
        for label, name in enumerate(classes)
    ]
    style.legend_below(figure, *keys, columns=10 if max(map(len, classes)) <= 2 else 5)
    return figure

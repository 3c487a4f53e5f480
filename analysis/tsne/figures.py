"""Pictures of points in the plane, classes told apart by colour, marker and name."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from analysis import style
from analysis.tsne import separation
from analysis.tsne.embedding import NAMES, Embedding
from analysis.tsne.views import Views


def draw_embedding(
    axis: Axes, embedding: Embedding, labels: np.ndarray, classes: tuple[str, ...]
) -> None:
    """N points, (N,) labels: a marker and a colour a class, its name where it is the majority."""
    plane = embedding.plane
    order = np.random.default_rng(0).permutation(len(plane))  # no class lies on top of all others
    for part in np.array_split(order, 3):
        for label in range(len(classes)):
            x, y = plane[part[labels[part] == label]].T
            # Thousands of vector markers would make a heavy page.
            axis.plot(x, y, ls="none", ms=3.2, alpha=0.8, mew=0, rasterized=True, **_look(label))
    outline = [patheffects.withStroke(linewidth=2.2, foreground="white")]
    for label, place in _named_places(plane, labels, len(classes)).items():
        name = axis.text(place[0], place[1], classes[label], ha="center", va="center", zorder=5)
        name.set(fontsize=9, fontweight="bold", path_effects=outline, clip_on=True)
    unit = "pixels' or latents' own unit" if embedding.method == "pca" else "no unit"
    for number, name_axis in ((1, axis.set_xlabel), (2, axis.set_ylabel)):
        name_axis(f"{NAMES[embedding.method]} {number} ({unit})")
    axis.tick_params(labelsize=7.5)


def _look(label: int) -> dict[str, Any]:
    colours, markers = style.COLOURS, style.MARKERS
    return {"color": colours[label % len(colours)], "marker": markers[label % len(markers)]}


def _named_places(plane: np.ndarray, labels: np.ndarray, classes: int) -> dict[int, np.ndarray]:
    """Label -> where its name may stand: its point with most of its own kind around it.

    Left out is a class that has no such place: most of the 15 nearest points would be others.
    """
    distances = separation.squared_distances(plane.astype(float))
    near = min(15, len(plane))
    around = labels[np.argpartition(distances, near - 1, axis=1)[:, :near]]
    own = (around == labels[:, None]).mean(1)
    places = {}
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        if not len(rows):
            continue
        # Among its densest points the one nearest to the middle of the class.
        best = rows[own[rows] >= own[rows].max() - 0.1]
        middle = np.median(plane[best], axis=0)
        row = best[((plane[best] - middle) ** 2).sum(1).argmin()]
        if own[row] > 0.6:
            places[label] = plane[row]
    return places


def views_figure(views: Views, classes: tuple[str, ...]) -> Canvas:
    """Latents beside images, one legend for both."""
    figure, (left, right) = style.axes(1, 2, height=4.5)
    draw_embedding(left, views.latents, views.labels, classes)
    draw_embedding(right, views.pixels, views.labels, classes)
    latents, pixels = views.dimensions
    left.set_title(f"Latents ({latents} numbers)")
    right.set_title(f"Images ({pixels} pixel values)")
    keys = [
        Line2D([], [], ls="none", ms=5.5, label=name, **_look(label))
        for label, name in enumerate(classes)
    ]
    style.legend_below(figure, *keys, columns=10 if max(map(len, classes)) <= 2 else 5)
    return figure

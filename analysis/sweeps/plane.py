"""Two latent coordinates: where images lie in the plane, and what it decodes to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from analysis import style
from analysis.records import PipelineRecord

POINTS = 2000  # images in a scatter


def draw_scatter(axis: Axes, record: PipelineRecord, *, title: str) -> None:
    """The (N, 2) latents of the record's first images, colour and marker by class."""
    labels = record.images.labels[:POINTS]
    z = record.encode(record.images.images[:POINTS])
    for label, name in enumerate(record.classes):
        x, y = z[labels == label].T
        colour, marker = style.COLOURS[label], style.MARKERS[label]
        axis.scatter(x, y, s=6, color=colour, marker=marker, lw=0, rasterized=True, label=name)
    axis.set_title(title)
    name_axes(axis)


def name_axes(axis: Axes, unit: str = "no unit") -> None:
    """The two coordinates."""
    axis.set(xlabel=f"coordinate 1 ({unit})", ylabel=f"coordinate 2 ({unit})")


def square(places: Sequence[float] | np.ndarray) -> np.ndarray:
    """(S,) places -> (S * S, 2) points of a grid, row by row from the top."""
    return np.array([[x, y] for y in places[::-1] for x in places], dtype=np.float32)


def draw_tiles(axis: Axes, decoded: np.ndarray, *, title: str) -> tuple[int, int]:
    """(S * S, C, H, W) in [0, 1], of the points of `square`, side by side; returns (H, W)."""
    count, channels, height, width = decoded.shape
    side = round(count**0.5)
    tiled = decoded.reshape(side, side, channels, height, width)
    tiled = tiled.transpose(0, 3, 1, 4, 2).reshape(side * height, side * width, channels)
    axis.imshow(tiled.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.grid(False)
    axis.set_title(title)
    return height, width

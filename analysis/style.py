"""One look for all figures: legible small, in grey, and to the colour-blind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008), and two more that stay apart from them.
COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9"),
    *("#D55E00", "#8C6BB1", "#F0E442", "#000000", "#7F7F7F"),
)
MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">", "*")  # tell classes apart in grey
METHODS = {
    "autoencoder": 0,
    "supervised": 1,
    "contrastive": 2,
    "supcon": 3,
    "masked_autoencoder": 4,
}
SETTINGS: dict[str, Any] = {
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.alpha": 0.35,
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "svg.hashsalt": "latent-search",  # the same figure, the same file
}


@contextmanager
def styled() -> Iterator[None]:
    """Figures made inside have the report's look."""
    with plt.rc_context(SETTINGS):  # type: ignore[arg-type]
        yield


def axes(
    rows: int = 1, columns: int = 1, *, width: float = 8.0, height: float = 3.2
) -> tuple[Figure, list[Axes]]:
    """A figure of `width` x `height` inches and its axes, row by row."""
    with styled():
        figure, grid = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    return figure, list(grid.ravel())


def colour_of(pipeline: str) -> str:
    """The colour of a pipeline's method, the same in every figure."""
    method = pipeline.partition("_")[2].removesuffix("-mini")
    return COLOURS[METHODS.get(method, len(METHODS)) % len(COLOURS)]


def close(figure: Figure) -> None:
    """Free a figure that was drawn."""
    plt.close(figure)

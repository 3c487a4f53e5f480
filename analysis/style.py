"""One look for all figures: legible small, in grey, and to the colour-blind."""

from __future__ import annotations

from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008), and two more that stay apart from them.
BRIGHT = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6BB1", "#F0E442"
COLOURS = (*BRIGHT, "#000000", "#7F7F7F")
MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">", "*")  # tell classes apart in grey
# A method's place in both, the same in every figure.
METHODS = (
    "autoencoder",
    "supervised",
    "contrastive",
    "supcon",
    "masked_autoencoder",
    "mlp_autoencoder",
    "vae",
    "texture_autoencoder",
    "aligned_autoencoder",
)
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
plt.rcParams.update(SETTINGS)  # type: ignore[arg-type]


def axes(
    rows: int = 1, columns: int = 1, *, width: float = 8.0, height: float = 3.2
) -> tuple[Figure, list[Axes]]:
    """A figure of `width` x `height` inches and its axes, row by row."""
    figure, grid = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
    return figure, list(grid.ravel())


def panels(
    count: int, columns: int, *, width: float = 8.0, height: float, more: float = 0.4
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` axes in rows of at most `columns`.

    Args:
        height: of a row, inches.
        more: inches for a legend or a title.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure, every = axes(rows, columns, width=width, height=height * rows + more)
    for spare in every[count:]:
        spare.remove()
    return figure, every[:count]


def legend_below(figure: Figure, *drawn: Axes | Artist, columns: int = 10) -> None:
    """One legend below all panels: of artists, or of what is labelled on axes, a name once."""
    keys: dict[str, Artist] = {}
    for one in drawn:
        handles = one.get_legend_handles_labels()[0] if isinstance(one, Axes) else [one]
        for handle in handles:
            keys.setdefault(str(handle.get_label()), handle)
    if keys:
        count = min(columns, len(keys))
        figure.legend(list(keys.values()), list(keys), loc="outside lower center", ncols=count)


def place_of(pipeline: str) -> int:
    """A pipeline's place among colours and markers, the same in every figure: its method's."""
    method = pipeline.partition("_")[2].removesuffix("-mini")
    return METHODS.index(method) if method in METHODS else len(METHODS)


def colour_of(pipeline: str) -> str:
    """The colour of a pipeline."""
    return COLOURS[place_of(pipeline)]


def close(figure: Figure) -> None:
    """Free a figure that was drawn."""
    plt.close(figure)

"""Pictures of a latent space's structure: spectra, and alignment against uniformity."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from analysis import style
from analysis.latents.structure import Structure
from analysis.records import PipelineRecord
from trainers.data import DATASETS

LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1, 1.5)))
FLOOR = 1e-6  # shares below are not drawn: rounding, not structure


def look_of(pipeline: str) -> tuple[str, str, object]:
    """(colour, marker, line) of a pipeline's method: three ways to tell methods apart."""
    place = style.place_of(pipeline)
    return style.COLOURS[place], style.MARKERS[place], LINES[place % len(LINES)]


def draw_spectrum(axis: Axes, name: str, before: Structure, after: Structure) -> None:
    """Shares of the variance by direction, largest first, on a logarithmic axis."""
    colour, marker, line = look_of(name)
    for structure, width, strength in ((before, 0.9, 0.45), (after, 1.9, 1.0)):
        shares = structure.spectrum / max(structure.spectrum.sum(), 1e-300)
        shares = np.where(shares > FLOOR, shares, np.nan)
        axis.plot(
            np.arange(1, len(shares) + 1),
            shares,
            ls=line,  # type: ignore[arg-type]
            color=colour,
            lw=width,
            alpha=strength,
            marker=marker if structure is after else None,
            markevery=max(1, len(shares) // 8),
            ms=4.5,
        )
    axis.set_yscale("log")
    axis.set_xlabel("direction, by its variance")
    axis.set_ylabel("share of the variance")


def spectrum_figure(
    structures: Mapping[str, tuple[Structure, Structure]], records: Mapping[str, PipelineRecord]
) -> Canvas:
    """A panel a data set, all its methods in it."""
    datasets = _datasets(records)
    figure, axes = style.axes(1, len(datasets), height=3.6)
    for axis, dataset in zip(axes, datasets, strict=True):
        keys = []
        for name, record in records.items():
            if record.dataset != dataset:
                continue
            before, after = structures[name]
            draw_spectrum(axis, name, before, after)
            colour, marker, line = look_of(name)
            label = f"{record.method.replace('_', ' ')}: {before.rank:.0f} to {after.rank:.0f}"
            keys.append(Line2D([], [], ls=line, color=colour, marker=marker, ms=4.5, label=label))  # type: ignore[arg-type]
        axis.set_title(DATASETS[dataset].title)
        axis.legend(handles=keys, fontsize=8, title="effective rank", title_fontsize=8)
    return figure


def draw_plane(axis: Axes, name: str, before: Structure, after: Structure) -> None:
    """An arrow from the untrained to the trained encoder."""
    colour, marker, _ = look_of(name)
    start, end = (before.alignment, before.uniformity), (after.alignment, after.uniformity)
    axis.annotate(
        "",
        end,
        start,
        arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.3, "shrinkA": 4, "shrinkB": 5},
    )
    axis.plot(*start, marker, color=colour, mfc="white", ms=7)
    axis.plot(*end, marker, color=colour, ms=8)
    axis.set_xlabel("alignment (squared distance, lower is nearer)")
    axis.set_ylabel("uniformity (log potential, lower is more even)")


def plane_figure(
    structures: Mapping[str, tuple[Structure, Structure]], records: Mapping[str, PipelineRecord]
) -> Canvas:
    """A panel a data set, all its methods in it."""
    datasets = _datasets(records)
    figure, axes = style.axes(1, len(datasets), height=3.8)
    keys: list[Line2D] = []
    for axis, dataset in zip(axes, datasets, strict=True):
        for name, record in records.items():
            if record.dataset == dataset:
                draw_plane(axis, name, *structures[name])
                colour, marker, _ = look_of(name)
                word = record.method.replace("_", " ")
                keys.append(Line2D([], [], ls="none", marker=marker, color=colour, label=word))
        axis.margins(0.12)
        axis.set_title(DATASETS[dataset].title)
    for word, filled in (("before training", "white"), ("after training", "0.4")):
        keys.append(Line2D([], [], ls="none", marker="o", color="0.4", mfc=filled, label=word))
    style.legend_below(figure, *keys)
    return figure


def _datasets(records: Mapping[str, PipelineRecord]) -> list[str]:
    return list(dict.fromkeys(record.dataset for record in records.values()))

"""Samples, latents and manifolds of the variational and the plain autoencoders."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from scipy import stats

from analysis import style
from analysis.document import Block, Figure
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.records import Findings, PipelineRecord, SweepRecord
from analysis.sweeps.plane import POINTS, draw_scatter, draw_tiles, square
from search.grids.results import GridRow

DRAWS, SHOWN = 3, 10  # sets of samples side by side below each other, images in each
SIDE = 15  # images along a side of a manifold
WIDTH = 9.0  # inches


def blocks(record: SweepRecord, findings: Findings) -> list[Block]:
    """Samples by size, and for two coordinates the latents and the decoded plane."""
    content: list[Block] = []
    sizes = sorted({row.x for row in record.outcome.rows})
    for size in sizes:
        rows = [row for row in record.outcome.rows if row.x == size]
        caption = (
            f"Three draws of ten vectors from N(0, I) with d = {size:g}, decoded; the same vectors "
            "for all networks, first seeds."
        )
        content.append(
            Figure(
                name=f"sweep_vae_samples_{size:g}",
                title=f"Random vectors decoded, d = {size:g}",
                caption=caption,
                draw=functools.partial(_samples, record, rows, findings.seed),
                alt=caption,
            )
        )
    flat = [row for row in record.outcome.rows if row.x == 2]
    if flat:
        latents = (
            f"Latents of {POINTS:,} validation images in two coordinates; circles hold half and "
            "95 % of N(0, I). A draw hardly ever lies outside the outer one; empty places inside "
            "it are drawn and mean nothing to the decoder."
        )
        plane = (
            "The plane decoded: coordinates at equal steps of probability under N(0, I), "
            f"{SIDE} x {SIDE} points from 2.5 to 97.5 %."
        )
        content += [
            Figure(
                name="sweep_vae_latents",
                title="Two coordinates, variational and plain",
                caption=latents,
                draw=functools.partial(_latents, record, flat),
                alt=latents,
            ),
            Figure(
                name="sweep_vae_manifold",
                title="The decoded plane, variational and plain",
                caption=plane,
                draw=functools.partial(_manifolds, record, flat),
                alt=plane,
            ),
        ]
    return content


def _samples(record: SweepRecord, rows: list[GridRow], seed: int) -> Canvas:
    size = int(rows[0].x)
    draws = np.random.default_rng([seed, 5]).normal(size=(DRAWS, SHOWN, size)).astype(np.float32)
    lines = [
        ImageRow(
            images=record.load(row, 0).decode(draws[draw]), label=f"{row.line},\ndraw {draw + 1}"
        )
        for row in rows
        for draw in range(DRAWS)
    ]
    return figure_of(Mosaic(rows=lines, width=WIDTH), title=f"Draws of N(0, I) decoded, d = {size}")


def draw_latents(axis: Axes, record: PipelineRecord, *, title: str) -> None:
    """(N, 2) latents of validation images by class, with circles of N(0, I)."""
    draw_scatter(axis, record, title=title)
    for share in (0.5, 0.95):
        radius = float(np.sqrt(stats.chi2.ppf(share, 2)))
        angle = np.linspace(0, 2 * np.pi, 200)
        axis.plot(radius * np.cos(angle), radius * np.sin(angle), color="black", lw=0.9, ls="--")
    axis.set_aspect("equal", adjustable="datalim")


def _latents(record: SweepRecord, rows: list[GridRow]) -> Canvas:
    with style.styled():
        figure, axes = style.axes(1, len(rows), width=WIDTH, height=4.6)
        for axis, row in zip(axes, rows, strict=True):
            draw_latents(axis, record.load(row, 0), title=row.line)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=10)
    return figure


def draw_plane(axis: Axes, record: PipelineRecord, *, title: str) -> None:
    """SIDE x SIDE decoded points of the plane, the second coordinate upwards."""
    places = stats.norm.ppf(np.linspace(0.025, 0.975, SIDE))
    height, width = draw_tiles(axis, record.decode(square(places)), title=title)
    marks = [0, SIDE // 2, SIDE - 1]
    axis.set_xticks([width * (m + 0.5) for m in marks], [f"{places[m]:.1f}" for m in marks])
    axis.set_yticks([height * (m + 0.5) for m in marks], [f"{places[::-1][m]:.1f}" for m in marks])
    axis.set_xlabel("coordinate 1 (no unit)")
    axis.set_ylabel("coordinate 2 (no unit)")


def _manifolds(record: SweepRecord, rows: list[GridRow]) -> Canvas:
    with style.styled():
        figure, axes = style.axes(1, len(rows), width=WIDTH, height=3.1)
        for axis, row in zip(axes, rows, strict=True):
            draw_plane(axis, record.load(row, 0), title=row.line)
    return figure

"""Samples, latents and manifolds of the variational and the plain autoencoders."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from scipy import stats

from analysis import style
from analysis.document import Block, Figure, Paragraph
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.records import Findings, PipelineRecord, SweepRecord
from analysis.sentences import p_value
from analysis.sweeps.plane import POINTS, draw_scatter, draw_tiles, name_axes, square
from search.cells.statistics import SIGNIFICANT
from search.grids.results import GridRow
from search.sweeps.vae import VARIATIONAL

DRAWS, SHOWN = 3, 10  # sets of samples side by side below each other, images in each
MANY = 1000  # vectors of a draw whose classes are counted
SIDE = 15  # images along a side of a manifold
WIDTH = 9.0  # inches


def blocks(record: SweepRecord, findings: Findings) -> list[Block]:
    """Samples by size, and for two coordinates the latents and the decoded plane."""
    content: list[Block] = [
        Figure(
            name=f"sweep_vae_samples_{size:g}",
            title=f"Random vectors decoded, d = {size:g}",
            caption=f"Three draws of ten vectors from N(0, I) with d = {size:g}, decoded; the same "
            "vectors for all networks, first seeds.",
            draw=functools.partial(
                _samples, record, [r for r in record.outcome.rows if r.x == size], findings.seed
            ),
        )
        for size in sorted({row.x for row in record.outcome.rows})
    ]
    if variational := record.outcome.lines.get(VARIATIONAL):
        content.append(Paragraph(_draws_told(record, variational[-1], findings.seed)))
    flat = [row for row in record.outcome.rows if row.x == 2]
    if flat:
        content += [
            Figure(
                name="sweep_vae_latents",
                title="Two coordinates, variational and plain",
                caption=f"Latents of {POINTS:,} validation images in two coordinates; circles hold "
                "half and 95 % of N(0, I). A draw hardly ever lies outside the outer one; empty "
                "places inside it are drawn and mean nothing to the decoder.",
                draw=functools.partial(_latents, record, flat),
            ),
            Figure(
                name="sweep_vae_manifold",
                title="The decoded plane, variational and plain",
                caption="The plane decoded: coordinates at equal steps of probability under "
                f"N(0, I), {SIDE} x {SIDE} points from 2.5 to 97.5 %.",
                draw=functools.partial(_manifolds, record, flat),
            ),
        ]
    return content


def _draws_told(record: SweepRecord, row: GridRow, seed: int) -> str:
    model = record.load(row, 0)
    z = np.random.default_rng([seed, 7]).normal(size=(DRAWS, MANY, int(row.x))).astype(np.float32)
    named = np.stack([model.classify(draw).argmax(axis=1) for draw in z])
    pictures = np.stack([model.decode(draw[:SHOWN]) for draw in z])
    return draws_told(pictures, named, model.images.images[: 2 * SHOWN] / 255, model.classes)


def draws_told(
    pictures: np.ndarray, named: np.ndarray, real: np.ndarray, classes: Sequence[str]
) -> str:
    """Compare several draws from one network.

    Args:
        pictures: (R, n, C, H, W) in [0, 1], the first decoded vectors of R draws.
        named: (R, N) the classes that the classifier gives all N vectors of each draw.
        real: (2 n, C, H, W) images in [0, 1].
    """
    draws, count = named.shape
    apart = np.abs(pictures[0] - pictures[1]).mean()
    usual = np.abs(real[::2] - real[1::2]).mean()
    table = np.stack([np.bincount(row, minlength=len(classes)) for row in named])
    shares = 100 * table / count
    commonest = int(table.sum(axis=0).argmax())
    among = shares[:, commonest]
    p = float(stats.chi2_contingency(table[:, table.any(axis=0)]).pvalue) if np.ptp(named) else 1.0
    return (
        f"**{draws} draws compared.** Each draw of the variational autoencoder shows other "
        f"pictures: two in the same place differ by {apart:.3f} a pixel, two real images by "
        f"{usual:.3f}. Of {count:,} vectors a draw the classifier names {classes[commonest]} most "
        f"often, {among.min():.1f} to {among.max():.1f} % of the time. The mix of classes "
        f"{'differs' if p < SIGNIFICANT else 'is not shown to differ'} between the draws "
        f"(chi-squared, {p_value(p)})."
    )


def _samples(record: SweepRecord, rows: list[GridRow], seed: int) -> Canvas:
    size = int(rows[0].x)
    draws = np.random.default_rng([seed, 5]).normal(size=(DRAWS, SHOWN, size)).astype(np.float32)
    models = {row.line: record.load(row, 0) for row in rows}
    lines = [
        ImageRow(images=model.decode(draws[draw]), label=f"{line},\ndraw {draw + 1}")
        for line, model in models.items()
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
    figure, axes = style.axes(1, len(rows), width=WIDTH, height=4.6)
    for axis, row in zip(axes, rows, strict=True):
        draw_latents(axis, record.load(row, 0), title=row.line)
    style.legend_below(figure, axes[0])
    return figure


def draw_plane(axis: Axes, record: PipelineRecord, *, title: str) -> None:
    """SIDE x SIDE decoded points of the plane, the second coordinate upwards."""
    places = stats.norm.ppf(np.linspace(0.025, 0.975, SIDE))
    height, width = draw_tiles(axis, record.decode(square(places)), title=title)
    marks = [0, SIDE // 2, SIDE - 1]
    axis.set_xticks([width * (m + 0.5) for m in marks], [f"{places[m]:.1f}" for m in marks])
    axis.set_yticks([height * (m + 0.5) for m in marks], [f"{places[::-1][m]:.1f}" for m in marks])
    name_axes(axis)


def _manifolds(record: SweepRecord, rows: list[GridRow]) -> Canvas:
    figure, axes = style.axes(1, len(rows), width=WIDTH, height=3.1)
    for axis, row in zip(axes, rows, strict=True):
        draw_plane(axis, record.load(row, 0), title=row.line)
    return figure

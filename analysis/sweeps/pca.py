"""PCA and the autoencoders: what repeats itself, latents in the plane, generated images."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.document import Block, Cell, Figure, Table
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.records import Findings, PipelineRecord, SweepRecord
from analysis.sweeps.plane import POINTS, draw_scatter, draw_tiles, square
from search.grids.results import GridRow
from search.sweeps.pca import CONNECTED, CONVOLUTIONAL, PCA

SIDE = 12  # images along a side of a generated grid
SPAN = 2.0  # standard deviations that a grid reaches
WIDTH = 9.0  # inches
COMPONENTS = 10  # of the PCA that is repeated
FITTED = 10_000  # training images that it is fitted to


def blocks(record: SweepRecord, findings: Findings) -> list[Block]:
    """Scatter and grids with two coordinates, random images, and PCA repeated."""
    lines = record.outcome.lines
    flat = {name: rows[0] for name, rows in lines.items() if rows and rows[0].x == 2}
    content: list[Block] = []
    if flat:
        seeds = len(flat[CONNECTED].seeds)
        scatter = (
            f"{POINTS:,} validation images in two coordinates, colour and marker by class. PCA "
            "gives one plane; the fully connected autoencoder was trained "
            f"{seeds} times with other seeds, and its loss does not say where a class has to lie."
        )
        grids = (
            f"The plane decoded, {SIDE} x {SIDE} points up to {SPAN:g} standard deviations of the "
            "training latents from their mean. For PCA that is equation 2 of the assignment, x = "
            "mean + sum of alpha_i sqrt(lambda_i) v_i, alpha from -2 to 2; reconstruction uses "
            "equation 1's alpha, which holds the root already."
        )
        content += [
            Figure(
                name="sweep_pca_latents",
                title="Two coordinates: PCA and autoencoders",
                caption=scatter,
                draw=functools.partial(_scatter, record, flat),
                alt=scatter,
            ),
            Figure(
                name="sweep_pca_grids",
                title="Images generated from two coordinates",
                caption=grids,
                draw=functools.partial(_grids, record, flat),
                alt=grids,
            ),
        ]
    largest = {name: rows[-1] for name, rows in lines.items() if rows}
    size = next(iter(largest.values())).x
    random = (
        "Latents drawn from a normal with the training latents' mean and deviations, "
        f"d = {size:g}, and decoded: each coordinate is drawn as if it knew nothing of the others."
    )
    content.append(
        Figure(
            name="sweep_pca_random",
            title="Random latents decoded",
            caption=random,
            draw=functools.partial(_random, record, largest, findings.seed),
            alt=random,
        )
    )
    content.append(_repeated(record.load(largest[PCA], 0)))
    return content


def _scatter(record: SweepRecord, rows: dict[str, GridRow]) -> Canvas:
    shown = [(PCA, rows[PCA], 0)]
    connected = rows[CONNECTED]
    shown += [
        (f"{CONNECTED}, seed {number + 1}", connected, number)
        for number in range(len(connected.seeds))
    ]
    shown.append((f"{CONVOLUTIONAL}, seed 1", rows[CONVOLUTIONAL], 0))
    columns = 3
    height = -(-len(shown) // columns)
    with style.styled():
        figure, axes = style.axes(height, columns, width=WIDTH, height=3.1 * height + 0.4)
        for axis in axes[len(shown) :]:
            axis.set_visible(False)
        for axis, (title, row, number) in zip(axes, shown, strict=False):
            draw_scatter(axis, record.load(row, number), title=title)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=10)
    return figure


def _grids(record: SweepRecord, rows: dict[str, GridRow]) -> Canvas:
    with style.styled():
        figure, axes = style.axes(1, len(rows), width=WIDTH, height=3.5)
        for axis, (name, row) in zip(axes, rows.items(), strict=True):
            model = record.load(row, 0)
            mean, spread = _moments(model)
            alpha = square(np.linspace(-SPAN, SPAN, SIDE))
            height, width = draw_tiles(axis, model.decode(mean + alpha * spread), title=name)
            axis.set_xticks([0, SIDE * width - 1], [f"{-SPAN:g}", f"{SPAN:g}"])
            axis.set_yticks([0, SIDE * height - 1], [f"{SPAN:g}", f"{-SPAN:g}"])
            axis.set_xlabel("coordinate 1 (deviations)")
            axis.set_ylabel("coordinate 2 (deviations)")
    return figure


def _random(record: SweepRecord, rows: dict[str, GridRow], seed: int) -> Canvas:
    lines = []
    for name, row in rows.items():
        model = record.load(row, 0)
        mean, spread = _moments(model)
        draws = np.random.default_rng([seed, 6]).normal(size=(12, len(mean)))
        lines.append(ImageRow(images=model.decode(mean + draws * spread), label=name))
    return figure_of(Mosaic(rows=lines, width=WIDTH), title="Random latents decoded")


def _moments(record: PipelineRecord) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each coordinate over training images."""
    z = record.encode(record.data.train.images[:FITTED])
    return z.mean(0), z.std(0)


def _repeated(record: PipelineRecord) -> Table:
    """The same PCA twice with each solver."""
    from sklearn.decomposition import PCA as Fitted

    images = record.data.train.images[:FITTED]
    pixels = images.reshape(len(images), -1).astype(np.float32) / 255
    solvers = {"covariance_eigh": "exact", "full": "exact", "randomized": "random"}

    def compute() -> dict[str, np.ndarray]:
        differences = {}
        for solver in solvers:
            one, other = (
                Fitted(COMPONENTS, svd_solver=solver, random_state=seed).fit(pixels).components_
                for seed in (0, 1)
            )
            turned = np.minimum(np.abs(one - other), np.abs(one + other))
            differences[solver] = np.array([np.abs(one - other).max(), turned.max()])
        return differences

    key = {"data": record.data.fingerprint, "images": len(images), "components": COMPONENTS}
    stored = record.cache.get("pca_twice", key, compute)
    rows: list[tuple[Cell, ...]] = [
        (solver, kind, f"{stored[solver][0]:.1e}", f"{stored[solver][1]:.1e}")
        for solver, kind in solvers.items()
    ]
    same = all(stored[solver][0] == 0 for solver, kind in solvers.items() if kind == "exact")
    return Table(
        name="sweep_pca_twice",
        title="The same PCA twice",
        caption=f"{COMPONENTS} components of {len(images):,} images, fitted twice with other "
        "random states: largest difference of a weight between the two, as it is and with signs "
        "set aside. "
        + (
            "The exact solvers repeat themselves, signs included; the randomised one varies by "
            f"{stored['randomized'][0]:.1e}."
            if same
            else "The exact solvers differ as well here."
        ),
        columns=("solver", "kind", "difference", "without signs"),
        rows=tuple(rows),
    )

"""PCA and the autoencoders: what repeats itself, latents in the plane, generated images."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure as Canvas
from scipy.spatial import procrustes
from sklearn.decomposition import PCA as Fitted
from sklearn.neighbors import NearestNeighbors

from analysis import style
from analysis.document import Block, Figure, Paragraph, Table
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.records import Findings, PipelineRecord, SweepRecord
from analysis.sentences import counted
from analysis.sweeps.plane import POINTS, draw_scatter, draw_tiles, name_axes, square
from search.grids.results import GridRow
from search.sweeps.pca import CONNECTED, CONVOLUTIONAL, PCA, TEST

SIDE = 12  # images along a side of a generated grid
SPAN = 2.0  # standard deviations that a grid reaches
WIDTH = 9.0  # inches
COMPONENTS = 10  # of the PCA that is repeated
FITTED = 10_000  # training images that it is fitted to
NEIGHBOURS = 10  # of an image, that another training may keep
SAME = 0.1  # share of the variance: two planes that differ by less are one, turned


def blocks(record: SweepRecord, findings: Findings) -> list[Block]:
    """Scatter and grids with two coordinates, random images, and PCA repeated."""
    lines = record.outcome.lines
    flat = {name: rows[0] for name, rows in lines.items() if rows and rows[0].x == 2}
    content: list[Block] = []
    if flat:
        content += [
            Figure(
                name="sweep_pca_latents",
                title="Two coordinates: PCA and autoencoders",
                caption=f"{POINTS:,} validation images in two coordinates, colour and marker by "
                "class. The loss of an autoencoder does not say where a class has to lie.",
                draw=functools.partial(_scatter, record, flat),
            ),
            Paragraph(_runs_told(record, flat[CONNECTED])),
            Figure(
                name="sweep_pca_grids",
                title="Images generated from two coordinates",
                caption=f"The plane decoded, {SIDE} x {SIDE} points up to {SPAN:g} standard "
                "deviations of the training latents from their mean. For PCA that is equation 2 of "
                "the assignment, x = mean + sum of alpha_i sqrt(lambda_i) v_i, alpha from -2 to 2; "
                "reconstruction uses equation 1's alpha, which holds the root already.",
                draw=functools.partial(_grids, record, flat),
            ),
        ]
    largest = {name: rows[-1] for name, rows in lines.items() if rows}
    size = next(iter(largest.values())).x
    random = Figure(
        name="sweep_pca_random",
        title="Random latents decoded",
        caption="Latents drawn from a normal with the training latents' mean and deviations, "
        f"d = {size:g}, and decoded: each coordinate is drawn as if it knew nothing of the others.",
        draw=functools.partial(_random, record, largest, findings.seed),
    )
    return [*content, random, _repeated(record.load(largest[PCA], 0))]


def _runs_told(record: SweepRecord, row: GridRow) -> str:
    models = [record.load(row, number) for number in range(len(row.seeds))]
    planes = [model.encode(model.images.images[:POINTS]) for model in models]
    return runs_told(planes, row.metrics[TEST])


def runs_told(planes: Sequence[np.ndarray], errors: Sequence[float]) -> str:
    """Compare the planes that trainings with other seeds gave the same images.

    Args:
        planes: (N, 2) latents of the same N images, a training each.
        errors: of each training's reconstructions.
    """
    text = f"**{counted(len(planes), 'training')} compared.** "
    if len(planes) < 2:
        return text + "One training shows nothing of how others would come out."
    pairs = list(itertools.combinations(planes, 2))
    apart = float(np.mean([procrustes(*pair)[2] for pair in pairs]))
    k = min(NEIGHBOURS, len(planes[0]) - 1)
    near = [NearestNeighbors(n_neighbors=k).fit(p).kneighbors_graph().toarray() for p in planes]
    kept = float(np.mean([(a * b).sum() / a.sum() for a, b in itertools.combinations(near, 2)]))
    return (
        f"{text}The errors of the fully connected autoencoder run from {min(errors):.4f} to "
        f"{max(errors):.4f}. Laid over each other as well as turning, mirroring and scaling can, "
        f"two planes differ by {100 * apart:.0f} % of their variance, and of an image's {k} "
        f"nearest neighbours in one {100 * kept:.0f} % are among those in the other (means over "
        f"pairs; by chance {100 * k / (len(planes[0]) - 1):.1f} %): the maps are "
        f"{'the same, but for how they lie' if apart < SAME else 'different'}. PCA draws the same "
        "plane each time."
    )


def _scatter(record: SweepRecord, rows: dict[str, GridRow]) -> Canvas:
    connected = rows[CONNECTED]
    seeds = range(len(connected.seeds))
    shown = [
        (PCA, rows[PCA], 0),
        *((f"{CONNECTED}, seed {number + 1}", connected, number) for number in seeds),
        (f"{CONVOLUTIONAL}, seed 1", rows[CONVOLUTIONAL], 0),
    ]
    figure, axes = style.panels(len(shown), 3, width=WIDTH, height=3.1)
    for axis, (title, row, number) in zip(axes, shown, strict=True):
        draw_scatter(axis, record.load(row, number), title=title)
    style.legend_below(figure, axes[0])
    return figure


def _grids(record: SweepRecord, rows: dict[str, GridRow]) -> Canvas:
    figure, axes = style.axes(1, len(rows), width=WIDTH, height=3.5)
    for axis, (name, row) in zip(axes, rows.items(), strict=True):
        model = record.load(row, 0)
        mean, spread = _moments(model)
        alpha = square(np.linspace(-SPAN, SPAN, SIDE))
        height, width = draw_tiles(axis, model.decode(mean + alpha * spread), title=name)
        axis.set_xticks([0, SIDE * width - 1], [f"{-SPAN:g}", f"{SPAN:g}"])
        axis.set_yticks([0, SIDE * height - 1], [f"{SPAN:g}", f"{-SPAN:g}"])
        name_axes(axis, "deviations")
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
    rows = ((n, kind, *(f"{off:.1e}" for off in stored[n])) for n, kind in solvers.items())
    same = all(stored[solver][0] == 0 for solver, kind in solvers.items() if kind == "exact")
    varies = (
        "The exact solvers repeat themselves, signs included; the randomised one varies by "
        f"{stored['randomized'][0]:.1e}."
    )
    return Table(
        name="sweep_pca_twice",
        title="The same PCA twice",
        caption=f"{COMPONENTS} components of {len(images):,} images, fitted twice with other "
        "random states: largest difference of a weight between the two, as it is and with signs "
        f"set aside. {varies if same else 'The exact solvers differ as well here.'}",
        columns=("solver", "kind", "difference", "without signs"),
        rows=tuple(rows),
    )

"""The MNIST autoencoder's reconstruction error by depth, width and latent size."""

from __future__ import annotations

import itertools
from statistics import fmean

from search.grids.results import GridResult, GridRow, between, shown
from search.grids.sweep import Point, Sweep

DEPTHS, WIDTHS, DIMENSIONS = (1, 2, 3, 4), (8, 16, 32), (6, 8, 10, 12, 14)
QUICK_DEPTHS, QUICK_WIDTHS, QUICK_DIMENSIONS = (1, 2, 3), (8, 16), (6, 14)
CHOSEN_BY, TEST = "valid/mae", "test/mae"


def points(quick: bool) -> list[Point]:
    """A line for each architecture; the latent size varies along it."""
    depths, widths, dimensions = (
        (QUICK_DEPTHS, QUICK_WIDTHS, QUICK_DIMENSIONS) if quick else (DEPTHS, WIDTHS, DIMENSIONS)
    )
    return [
        Point(
            line=f"{depth} layer{'s' * (depth > 1)}, width {width}",
            x=size,
            pipeline="mnist_autoencoder",
            changes={"depth": depth, "width": width, "latent_dim": size},
        )
        for depth in depths
        for width in widths
        for size in dimensions
    ]


def best(outcome: GridResult) -> GridRow:
    """The architecture and size with the least error on validation images."""
    return min(outcome.rows, key=lambda row: row.mean(CHOSEN_BY))


def answer(outcome: GridResult) -> list[str]:
    """Name the best architecture, and the effects of latent size and depth."""
    best_row, rows = best(outcome), outcome.rows
    weights = best_row.mean("model/parameters")
    sentences = [
        f"The least error on validation images has {best_row.line}, d = {best_row.x:g} "
        f"({weights:,.0f} weights): {best_row.mean(CHOSEN_BY):.4f}, and {best_row.mean(TEST):.4f} "
        "on test images."
    ]
    sizes = sorted({row.x for row in rows})
    mean_by_size = {x: fmean(row.mean(TEST) for row in rows if row.x == x) for x in sizes}
    falls = all(mean_by_size[a] > mean_by_size[b] for a, b in itertools.pairwise(sizes))
    sentences.append(
        f"Over all architectures the error is {mean_by_size[sizes[0]]:.4f} at d = {sizes[0]:g} and "
        f"{mean_by_size[sizes[-1]]:.4f} at d = {sizes[-1]:g}: "
        + ("every larger d has the smaller error." if falls else "it does not fall at every step.")
    )
    return sentences + _depths(outcome)


def _depths(outcome: GridResult) -> list[str]:
    """For each width, the errors by depth at the largest latent size, and the best depth."""
    largest = max(row.x for row in outcome.rows)
    sentences = []
    for width in dict.fromkeys(row.changes["width"] for row in outcome.rows):
        rows = [r for r in outcome.rows if r.changes["width"] == width and r.x == largest]
        rows.sort(key=lambda row: int(row.changes["depth"]))
        if len(rows) < 2:
            continue
        errors = ", ".join(f"{row.mean(TEST):.4f} with {row.changes['depth']}" for row in rows)
        least = min(rows, key=lambda row: row.mean(TEST))
        one = next((row for row in rows if row.changes["depth"] == 1), rows[0])
        if least is one:
            how = "more layers do not lower it"
        else:
            gain = between(one.metrics[TEST], least.metrics[TEST])
            how = f"{least.changes['depth']} layers have the least, {gain.mean:.4f} under "
            how += f"{one.changes['depth']}" + ("" if shown(gain) else ", not shown over the seeds")
        sentences.append(f"Width {width}, d = {largest:g}: {errors} layers; {how}.")
    return sentences


SWEEP = Sweep(
    title="Depth and width of an autoencoder",
    question="What do more layers, more weights and a larger latent vector bring to the "
    "reconstruction of digits?",
    points=points,
    x="latent size d",
    metrics=(TEST, CHOSEN_BY),
    answer=answer,
)

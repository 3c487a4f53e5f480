"""PCA, a fully connected and a convolutional autoencoder, by latent size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from search.cells.store import TrainedCell
from search.grids.results import GridResult, GridRow, between, shown
from search.grids.sweep import Point, Sweep, by_latent_size
from search.trials.trial import TrialImages

PCA, CONNECTED, CONVOLUTIONAL = "PCA", "fully connected", "convolutional"
LINES = {
    PCA: "mnist_autoencoder",  # names the data set; PCA is not trained
    CONNECTED: "mnist_mlp_autoencoder",
    CONVOLUTIONAL: "mnist_autoencoder",
}
DIMENSIONS = (2, 3, 4, 6, 8, 10, 12, 14, 16, 20)
QUICK = (2, 8, 20)
TEST, EXPLAINED = "test/mae", "reconstruction/explained"
SHARE = 0.9  # share of the variance by which d is often chosen for PCA


def points(quick: bool) -> list[Point]:
    """Three lines; the latent size varies along each."""
    grid = by_latent_size(LINES, QUICK if quick else DIMENSIONS)
    return [replace(point, kind="pca") if point.line == PCA else point for point in grid]


@torch.no_grad()
def measure(kept: TrainedCell, images: TrialImages, quick: bool) -> Mapping[str, Any]:
    """Share of the variance of validation pixels that the reconstructions explain.

    1 - squared error / squared distance from the mean training image. For PCA this is nearly the
    sum of the explained variance ratios; clipping to [0, 1] makes the difference.
    """
    model = kept.network(images.valid.images.device)
    assert model.decoder is not None
    mean = images.train.images.float().mean(0) / 255
    error = total = 0.0
    for part in images.valid.images.split(1000):
        pixels = part.float() / 255
        error += (model.decoder(model.encoder(pixels)) - pixels).square().sum().item()
        total += (pixels - mean).square().sum().item()
    return {EXPLAINED: 1 - error / total}


def knee(rows: Sequence[GridRow], metric: str) -> float:
    """The x of a falling curve's greatest distance to its chord (Satopaa et al., 2011)."""
    x = np.array([row.x for row in rows])
    y = np.array([row.mean(metric) for row in rows])
    along = (x - x[0]) / (x[-1] - x[0])
    chord = y[0] + along * (y[-1] - y[0])
    return float(x[np.argmax(chord - y)])


def answer(outcome: GridResult) -> list[str]:
    """Compare the errors by size, the d that PCA needs for the same error, and the knees."""
    lines = outcome.lines
    sentences = []
    for name in (CONVOLUTIONAL, CONNECTED):
        sentences.append(_against_pca(f"The {name} autoencoder", lines[name], lines[PCA]))
    sentences += [_worth(name, lines[name], lines[PCA]) for name in (CONNECTED, CONVOLUTIONAL)]
    sentences += _by_both(lines[CONNECTED], lines[CONVOLUTIONAL])
    knees = ", ".join(f"{knee(rows, TEST):g} for {name}" for name, rows in lines.items())
    sentences.append(
        f"The error's knee, farthest below the chord between the ends, is at d = {knees}."
    )
    shares = {row.x: row.mean(EXPLAINED) for row in lines[PCA]}
    enough = [x for x, share in shares.items() if share >= SHARE]
    last = max(shares)
    sentences.append(
        f"PCA explains {100 * shares[last]:.0f} % of the variance at d = {last:g}"
        + (
            f", and {100 * SHARE:.0f} % from d = {enough[0]:g} on."
            if enough
            else f"; {100 * SHARE:.0f} % takes more. For PCA this share is a simple way to choose "
            "d, known before anything is reconstructed; an autoencoder must be trained for each d."
        )
    )
    return sentences


def _against_pca(name: str, mine: Sequence[GridRow], theirs: Sequence[GridRow]) -> str:
    by_size = {row.x: row for row in theirs}
    pairs = [(row, by_size[row.x]) for row in mine if row.x in by_size]
    ahead = [a.x for a, b in pairs if a.mean(TEST) < b.mean(TEST)]
    behind = [a.x for a, b in pairs if a.mean(TEST) >= b.mean(TEST)]
    unsure = [a.x for a, b in pairs if not shown(between(a.metrics[TEST], b.metrics[TEST]))]
    first, last = pairs[0], pairs[-1]
    sentence = (
        f"{name} has a test error of {first[0].mean(TEST):.4f} against PCA's "
        f"{first[1].mean(TEST):.4f} at d = {first[0].x:g}, {last[0].mean(TEST):.4f} against "
        f"{last[1].mean(TEST):.4f} at d = {last[0].x:g}: "
    )
    if not behind:
        sentence += "below PCA at every d"
    elif not ahead:
        sentence += "below PCA nowhere"
    else:
        sentence += f"below PCA at d = {_list(ahead)}, not at d = {_list(behind)}"
    if unsure:
        sentence += f" (not shown over the seeds at d = {_list(unsure)})"
    return sentence + "."


def _worth(name: str, mine: Sequence[GridRow], theirs: Sequence[GridRow]) -> str:
    """The least d of PCA that reconstructs as well as the line does in the middle."""
    middle = mine[len(mine) // 2]
    equal = [row.x for row in theirs if row.mean(TEST) <= middle.mean(TEST)]
    size = f"d = {equal[0]:g}" if equal else f"more than d = {theirs[-1].x:g}"
    return f"PCA needs {size} for the error of the {name} autoencoder at d = {middle.x:g}."


def _by_both(connected: Sequence[GridRow], convolutional: Sequence[GridRow]) -> list[str]:
    """Whether absolute and squared error name the same winner at the largest common d."""
    one, other = connected[-1], convolutional[-1]
    if one.x != other.x:
        return []
    by_error = CONNECTED if one.mean(TEST) < other.mean(TEST) else CONVOLUTIONAL
    by_variance = CONNECTED if one.mean(EXPLAINED) > other.mean(EXPLAINED) else CONVOLUTIONAL
    if by_error == by_variance:
        return [f"By the absolute and by the squared error the {by_error} one is ahead at the end."]
    return [
        f"At d = {one.x:g} the {by_error} one has the smaller absolute error and the {by_variance} "
        f"one explains more of the variance, which goes by squares: the errors of the {by_error} "
        "one are fewer and larger."
    ]


def _list(sizes: Sequence[float]) -> str:
    return ", ".join(f"{size:g}" for size in sizes)


SWEEP = Sweep(
    title="PCA and autoencoders",
    question="How much better than PCA does an autoencoder reconstruct with the same number of "
    "coordinates?",
    points=points,
    x="latent size d",
    metrics=(TEST, EXPLAINED),
    answer=answer,
    measure=measure,
)

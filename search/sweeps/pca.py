"""PCA against a fully connected and a convolutional autoencoder, by latent size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from search.finals.cells import Kept
from search.rebuild import rebuild
from search.sweeping.outcome import Outcome, Row, between, shown
from search.sweeping.sweep import Budget, Point, Sweep
from search.trial import TrialImages

PCA, CONNECTED, CONVOLUTIONAL = "PCA", "fully connected", "convolutional"
LINES = {
    PCA: "mnist_autoencoder",  # for its data set: PCA is not trained
    CONNECTED: "mnist_mlp_autoencoder",
    CONVOLUTIONAL: "mnist_autoencoder",
}
DIMENSIONS = (2, 3, 4, 6, 8, 10, 12, 14, 16, 20)
QUICK = (2, 8, 20)
TEST, EXPLAINED = "test/mae", "reconstruction/explained"
FROM = 4  # from here on the convolutional one should win
SHARE = 0.9  # of the variance, a customary choice of d for PCA


def points(quick: bool) -> list[Point]:
    """Three lines, along them the latent size."""
    return [
        Point(
            line=line,
            x=size,
            pipeline=pipeline,
            changes={"latent_dim": size},
            kind="pca" if line == PCA else "trained",
        )
        for line, pipeline in LINES.items()
        for size in (QUICK if quick else DIMENSIONS)
    ]


@torch.no_grad()
def measure(kept: Kept, images: TrialImages, quick: bool) -> Mapping[str, Any]:
    """Share of the variance of validation pixels that the reconstructions explain.

    1 - squared error / squared distance from the mean training image; for PCA nearly the sum of
    the explained variance ratios, clipping to [0, 1] apart.
    """
    model = rebuild(kept.model, kept.weights()).to(images.valid.images.device)
    assert model.decoder is not None
    mean = images.train.images.float().mean(0) / 255
    error = total = 0.0
    for part in images.valid.images.split(1000):
        pixels = part.float() / 255
        error += (model.decoder(model.encoder(pixels)) - pixels).square().sum().item()
        total += (pixels - mean).square().sum().item()
    return {EXPLAINED: 1 - error / total}


def knee(rows: Sequence[Row], metric: str) -> float:
    """Where a falling curve is farthest below the chord of its ends (Satopaa et al., 2011)."""
    x = np.array([row.x for row in rows])
    y = np.array([row.mean(metric) for row in rows])
    along = (x - x[0]) / (x[-1] - x[0])
    chord = y[0] + along * (y[-1] - y[0])
    return float(x[np.argmax(chord - y)])


def answer(outcome: Outcome) -> list[str]:
    """Who reconstructs better where, what d of PCA an autoencoder is worth, where the knees are."""
    lines = outcome.lines
    told = []
    for name in (CONVOLUTIONAL, CONNECTED):
        told.append(_against_pca(f"The {name} autoencoder", lines[name], lines[PCA]))
    told += [_worth(name, lines[name], lines[PCA]) for name in (CONNECTED, CONVOLUTIONAL)]
    told += _by_both(lines[CONNECTED], lines[CONVOLUTIONAL])
    knees = ", ".join(f"{knee(rows, TEST):g} for {name}" for name, rows in lines.items())
    told.append(f"The error's knee, farthest below the chord between the ends, is at d = {knees}.")
    shares = {row.x: row.mean(EXPLAINED) for row in lines[PCA]}
    enough = [x for x, share in shares.items() if share >= SHARE]
    last = max(shares)
    told.append(
        f"PCA explains {100 * shares[last]:.0f} % of the variance at d = {last:g}"
        + (
            f", and {100 * SHARE:.0f} % from d = {enough[0]:g} on."
            if enough
            else f"; {100 * SHARE:.0f} % takes more. For PCA this share is a simple way to choose "
            "d, known before anything is reconstructed; an autoencoder must be trained for each d."
        )
    )
    return told


def _against_pca(name: str, mine: Sequence[Row], theirs: Sequence[Row]) -> str:
    by_size = {row.x: row for row in theirs}
    pairs = [(row, by_size[row.x]) for row in mine if row.x in by_size]
    ahead = [a.x for a, b in pairs if a.mean(TEST) < b.mean(TEST)]
    behind = [a.x for a, b in pairs if a.mean(TEST) >= b.mean(TEST)]
    unsure = [a.x for a, b in pairs if not shown(between(a.metrics[TEST], b.metrics[TEST]))]
    first, last = pairs[0], pairs[-1]
    said = (
        f"{name} has a test error of {first[0].mean(TEST):.4f} against PCA's "
        f"{first[1].mean(TEST):.4f} at d = {first[0].x:g}, {last[0].mean(TEST):.4f} against "
        f"{last[1].mean(TEST):.4f} at d = {last[0].x:g}: "
    )
    if not behind:
        said += "below PCA at every d"
    elif not ahead:
        said += "below PCA nowhere"
    else:
        said += f"below PCA at d = {_list(ahead)}, not at d = {_list(behind)}"
    if unsure:
        said += f" (not shown over the seeds at d = {_list(unsure)})"
    return said + "."


def _worth(name: str, mine: Sequence[Row], theirs: Sequence[Row]) -> str:
    """The least d of PCA that reconstructs as well as the line does in the middle."""
    middle = mine[len(mine) // 2]
    equal = [row.x for row in theirs if row.mean(TEST) <= middle.mean(TEST)]
    found = f"d = {equal[0]:g}" if equal else f"more than d = {theirs[-1].x:g}"
    return f"PCA needs {found} for the error of the {name} autoencoder at d = {middle.x:g}."


def _by_both(connected: Sequence[Row], convolutional: Sequence[Row]) -> list[str]:
    """At the largest d they share: whether absolute and squared error name the same one."""
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
    full=Budget(seeds=3),
    quick=Budget(seeds=2, epochs=2, train_size=3000),
)

"""Interpolating digits with autoencoders of different latent sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from search.cells.store import TrainedCell
from search.grids.results import GridResult, at_sizes, between, shown
from search.grids.sweep import Point, Sweep, by_latent_size
from search.trials.trial import TrialImages
from trainers.evaluation import encode
from trainers.measures.interpolation import entropy, ghosting, path
from trainers.measures.neighbours import NEIGHBOUR, REFERENCES, nearest_distances

DIMENSIONS = (2, 8, 14, 30, 128)
QUICK = (2, 14, 128)
STEPS = 11  # alpha = 0.0, 0.1, ..., 1.0
PAIRS = 200
REAL = 1000  # validation images to compare the walks with
USUAL, GHOST, ENTROPY = "walk/usual", "walk/ghosting", "walk/entropy"
SPARSITY, MAE, VALID = "walk/sparsity", "valid/mae", "valid/accuracy"
READABLE = 0.9  # share of digits that the classifier reads from their latents


def points(quick: bool) -> list[Point]:
    """One line: the MNIST autoencoder."""
    line = {"MNIST autoencoder": "mnist_autoencoder"}
    return by_latent_size(line, QUICK if quick else DIMENSIONS)


@torch.no_grad()
def measure(kept: TrainedCell, images: TrialImages, quick: bool) -> Mapping[str, Any]:
    """Measure the middles of 200 walks between validation images of different digits.

    `walk/usual`: share of the decoded middles that are at most as far from the nearest training
    image as 90 % of real validation images are. `walk/ghosting`: see `ghosting`. `walk/entropy`:
    the classifier's entropy on the middle latent, in nats. `walk/sparsity`: distance of the middle
    latent to its tenth nearest training latent, over the median of real images'.
    """
    device = images.valid.images.device
    model = kept.network(device)
    assert model.decoder is not None
    latents = encode(model.encoder, images.valid).cpu().numpy()
    labels = images.valid.labels.cpu().numpy()
    rng = np.random.default_rng(kept.cell.seed)
    pairs: list[tuple[int, int]] = []
    while len(pairs) < PAIRS:
        one, other = (int(row) for row in rng.integers(len(labels), size=2))
        if labels[one] != labels[other]:
            pairs.append((one, other))
    walks = np.stack([path(latents[one], latents[other], STEPS) for one, other in pairs])
    points = torch.from_numpy(walks.reshape(-1, walks.shape[2])).to(device)
    decoded = torch.cat([model.decoder(part) for part in points.split(1000)]).cpu().numpy()
    decoded = decoded.reshape(PAIRS, STEPS, *decoded.shape[1:])
    middle = STEPS // 2
    assert model.classifier is not None
    logits = model.classifier(points.reshape(PAIRS, STEPS, -1)[:, middle])
    training = images.train.first(REFERENCES)
    pixels = training.images.cpu().numpy()
    real = rng.choice(len(labels), size=min(REAL, len(labels)), replace=False)
    usual = nearest_distances(images.valid.images[torch.from_numpy(real)].cpu().numpy(), pixels)
    known = encode(model.encoder, training).cpu().numpy()
    k = min(NEIGHBOUR, len(known))
    empty = nearest_distances(walks[:, middle], known, k=k)
    distances = nearest_distances(decoded[:, middle], pixels)
    return {
        USUAL: float((distances <= np.quantile(usual, 0.9)).mean()),
        GHOST: float(np.mean([ghosting(walk)[middle] for walk in decoded])),
        ENTROPY: float(entropy(logits.double().softmax(1).cpu().numpy()).mean()),
        SPARSITY: float(np.median(empty) / np.median(nearest_distances(latents[real], known, k=k))),
    }


def answer(outcome: GridResult) -> list[str]:
    """Name the size that interpolates better, and the reason."""
    [rows] = outcome.lines.values()
    best = max(rows, key=lambda row: row.mean(USUAL))
    worst = min(rows, key=lambda row: row.mean(USUAL))
    first, last = rows[0], rows[-1]
    usual = ", ".join(f"{100 * row.mean(USUAL):.0f} % at d = {row.x:g}" for row in rows)
    gap = between(best.metrics[USUAL], worst.metrics[USUAL])
    sentences = [
        f"Middles of walks between two different digits that are as near to a training image as "
        f"real digits are: {usual}. "
        + (
            f"By this d = {best.x:g} interpolates best and d = {worst.x:g} worst"
            + ("." if shown(gap) else ", which is not shown over the seeds.")
        )
    ]
    readable = [row for row in rows if row.mean(VALID) >= READABLE]
    if readable and len(readable) < len(rows):
        better = max(readable, key=lambda row: (row.mean(USUAL), -row.mean(GHOST)))
        sizes = ", ".join(f"{row.x:g}" for row in readable)
        sentences.append(
            "A middle near to some digit is worth little where the ends are not the digits that "
            f"were given: the classifier reads {100 * READABLE:.0f} % of the latents with d = "
            f"{sizes} only. Among these d = {better.x:g} interpolates best."
        )
    ghosts = between(last.metrics[GHOST], first.metrics[GHOST])
    rises = shown(ghosts) and ghosts.mean > 0
    sentences.append(
        f"Ghosting (1 for a mere cross-fade of both ends): {at_sizes(rows, GHOST, 2)}. "
        + (
            "The larger the latent vector, the more a middle is both digits at once."
            if rises
            else "That a larger latent vector makes a middle more of a cross-fade is not shown."
        )
    )
    farther = between(last.metrics[SPARSITY], first.metrics[SPARSITY])
    emptier = shown(farther) and farther.mean > 0
    sentences.append(
        f"Why: the middle latent is {at_sizes(rows, SPARSITY, 2)} times as far from its neighbours "
        "among the training latents as a real image's latent is. "
        + (
            "With more coordinates the straight line leaves the region that the decoder was "
            "trained on"
            if emptier
            else "That the line passes through emptier space with more coordinates is not shown"
        )
        + f"; the classifier's entropy there is {at_sizes(rows, ENTROPY, 2)} nats."
    )
    sentences.append(
        f"The cost: the reconstruction error of the ends is {at_sizes(rows, MAE, 4)}: a "
        "small vector walks through digits, but not through the ones that it was given."
        if first.mean(MAE) > last.mean(MAE) and best.x < last.x
        else f"The reconstruction error of the ends is {at_sizes(rows, MAE, 4)}."
    )
    return sentences


SWEEP = Sweep(
    title="Interpolation and latent size",
    question="With which latent size does an autoencoder interpolate better, and why?",
    points=points,
    x="latent size d",
    log_x=True,
    metrics=(USUAL, GHOST, ENTROPY, SPARSITY, MAE),
    answer=answer,
    measure=measure,
)

"""The correlation between the coordinates of an autoencoder's latent vector, by its size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from search.cells.store import TrainedCell
from search.grids.results import GridResult, at_sizes, between, shown
from search.grids.sweep import Point, Sweep, by_latent_size
from search.trials.trial import TrialImages
from trainers.evaluation import encode
from trainers.measures.structure import correlation, effective_rank

DIMENSIONS = (2, 6, 8, 10, 12, 14, 30, 128)
QUICK = (2, 10, 30)
LATENTS = 5000
CORRELATION, RANK, SHARE = "latents/correlation", "latents/effective_rank", "latents/rank_share"


def points(quick: bool) -> list[Point]:
    """One line: the MNIST autoencoder."""
    line = {"MNIST autoencoder": "mnist_autoencoder"}
    return by_latent_size(line, QUICK if quick else DIMENSIONS)


def measure(kept: TrainedCell, images: TrialImages, quick: bool) -> Mapping[str, Any]:
    """Measure the latents of 5,000 validation images, or of all if there are fewer."""
    model = kept.network(images.valid.images.device)
    z = encode(model.encoder, images.valid.first(LATENTS)).double().cpu().numpy()
    rank = effective_rank(z)
    return {
        CORRELATION: float(correlation(z)),
        RANK: float(rank),
        SHARE: float(rank / z.shape[1]),
        "latents": len(z),
        "matrix": np.corrcoef(z, rowvar=False).round(3).tolist(),
    }


def answer(outcome: GridResult) -> list[str]:
    """Describe the trend of the correlation, and that of the effective rank."""
    [rows] = outcome.lines.values()
    first, last = rows[0], rows[-1]
    highest = max(rows, key=lambda row: row.mean(CORRELATION))
    change = between(last.metrics[CORRELATION], highest.metrics[CORRELATION])
    sentences = [
        f"Mean absolute correlation between two coordinates: {at_sizes(rows, CORRELATION, 3)}. "
        + (
            f"It is highest at d = {highest.x:g} and falls to the largest d"
            + ("." if shown(change) else ", which is not shown over the seeds.")
            if highest.x < last.x
            else "It is highest at the largest d."
        )
    ]
    sentences.append(
        f"The effective rank is {at_sizes(rows, RANK, 1)}: {100 * first.mean(SHARE):.0f} % of "
        f"the coordinates at d = {first.x:g}, {100 * last.mean(SHARE):.0f} % at d = {last.x:g}."
    )
    wasted = last.x - last.mean(RANK)
    change = between(last.metrics[CORRELATION], first.metrics[CORRELATION])
    redundant = f"a smaller share of its directions ({wasted:.0f} of {last.x:g} are redundant)"
    if last.mean(SHARE) >= first.mean(SHARE):
        sentences.append("The larger vector is not the more redundant one by its effective rank.")
    elif shown(change) and change.mean > 0:
        sentences.append(
            f"Both say the same: the larger vector is more correlated, and uses {redundant}."
        )
    else:
        how = "is lower" if shown(change) else "is not shown to differ"
        sentences.append(
            f"The mean misleads here: it {how} with the larger vector, which yet uses {redundant}: "
            "many weak correlations add up."
        )
    return sentences


SWEEP = Sweep(
    title="Decorrelation",
    question="Are the coordinates of a latent vector less correlated the fewer there are?",
    points=points,
    x="latent size d",
    log_x=True,
    metrics=(CORRELATION, RANK, "test/mae"),
    answer=answer,
    measure=measure,
)

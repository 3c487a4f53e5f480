"""A variational autoencoder and plain ones: the results of decoding random vectors."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from search.cells.store import TrainedCell
from search.grids.results import GridResult, GridRow, between, shown
from search.grids.sweep import Budget, Point, Sweep, by_latent_size
from search.spaces import builders
from search.spaces.pipeline import load_pipeline
from search.trials.trial import TrialImages
from trainers.evaluation import encode
from trainers.loop import fit
from trainers.measures.frechet import frechet_distance
from trainers.measures.neighbours import nearest_distances

VARIATIONAL, PLAIN, TEXTBOOK = "variational", "plain", "fully connected"
LINES = {
    VARIATIONAL: "mnist_vae",
    PLAIN: "mnist_autoencoder",  # its encoder standardises every coordinate
    TEXTBOOK: "mnist_mlp_autoencoder",  # its latents have any scale
}
DIMENSIONS = (2, 16)
SAMPLES = 2000
TRAINING = 10_000  # images to train the judge on, and latents to measure distances to
JUDGE, JUDGE_EPOCHS = "mnist_supervised", 3
NEIGHBOUR = 10
CONFIDENCE, FRECHET, EMPTY = "samples/confidence", "samples/frechet", "samples/emptiness"
MAE, KL = "valid/mae", "valid/kl"


def points(quick: bool) -> list[Point]:
    """All three autoencoders, with two and with sixteen coordinates."""
    return by_latent_size(LINES, DIMENSIONS[:1] if quick else DIMENSIONS)


@torch.no_grad()
def measure(kept: TrainedCell, images: TrialImages, quick: bool) -> Mapping[str, Any]:
    """Measure 2,000 draws of N(0, I) after decoding.

    `samples/confidence`: mean probability of the class that a judge (a classifier trained on real
    digits) names. `samples/frechet`: Frechet distance to real validation images in the judge's
    latent. `samples/emptiness`: distance of the draws to their tenth nearest training latent, over
    the median of real images' latents. `real/...`: the same values of real images.
    """
    device = images.valid.images.device
    model = kept.network(device)
    assert model.decoder is not None
    judge = _judge(images)
    generator = torch.Generator(device).manual_seed(kept.cell.seed)
    known = encode(model.encoder, images.train.first(TRAINING))
    draws = torch.randn(SAMPLES, known.shape[1], generator=generator, device=device)
    decoded = torch.cat([model.decoder(part) for part in draws.split(1000)])
    real = images.valid.images[:SAMPLES].float() / 255
    other = images.train.images[TRAINING : TRAINING + SAMPLES].float() / 255
    of_draws, of_real = _judged(judge, decoded), _judged(judge, real)
    k = min(NEIGHBOUR, len(known))
    of_latents = nearest_distances(
        encode(model.encoder, images.valid.first(SAMPLES)).cpu().numpy(), known.cpu().numpy(), k=k
    )
    distances = nearest_distances(draws.cpu().numpy(), known.cpu().numpy(), k=k)
    values = {
        CONFIDENCE: of_draws[1],
        FRECHET: frechet_distance(of_draws[0], of_real[0]),
        EMPTY: float(np.median(distances) / np.median(of_latents)),
        "real/confidence": of_real[1],
    }
    if len(other) > 1:  # two sets of real images: a lower bound for samples
        values["real/frechet"] = frechet_distance(_judged(judge, other)[0], of_real[0])
    return values


@functools.cache
def _judge(images: TrialImages) -> nn.Module:
    """A supervised network, trained for a few epochs on real digits with a fixed seed."""
    pipeline = load_pipeline(JUDGE)
    # Smoothed labels would keep the judge from ever being sure.
    params = {**pipeline.defaults, "batch_size": 128, "label_smoothing": 0.0}
    train = images.train.first(TRAINING)
    torch.manual_seed(0)
    method = pipeline.method(params)
    method.to(train.images.device)
    with torch.enable_grad():
        for _ in fit(method, train, builders.optimisation(params), epochs=JUDGE_EPOCHS, seed=0):
            pass
    return method.eval()


def _judged(judge: Any, pixels: Tensor) -> tuple[np.ndarray, float]:
    """(N, D) features of (N, C, H, W) in [0, 1], and the mean confidence."""
    latents = torch.cat([judge.encoder(part) for part in pixels.split(1000)])
    chances = judge.classifier(latents).softmax(1)
    return latents.cpu().numpy(), chances.max(1).values.double().mean().item()


def answer(outcome: GridResult) -> list[str]:
    """Say which autoencoder's samples are digits, why, and at what cost."""
    lines = outcome.lines
    sentences = []
    for one in lines[VARIATIONAL]:
        others = {
            name: row
            for name in lines
            if name != VARIATIONAL
            for row in lines[name]
            if row.x == one.x
        }
        if others:
            sentences += [f"d = {one.x:g}: {sentence}" for sentence in _sentences(one, others)]
    return sentences


def _sentences(one: GridRow, others: Mapping[str, GridRow]) -> list[str]:
    rows = {VARIATIONAL: one, **others}
    sentences = [
        f"decoded draws of N(0, I) are {_each(rows, FRECHET, '.1f')} away from real digits by "
        "the Frechet distance in a classifier's latent"
        + (
            f"; two sets of real digits are {one.mean('real/frechet'):.1f} apart. "
            if "real/frechet" in one.metrics
            else ". "
        )
        + _nearer(one, others)
    ]
    sentences.append(
        f"the classifier's confidence on them is {_each(rows, CONFIDENCE, '.2f')}; on real digits "
        f"{one.mean('real/confidence'):.2f}."
    )
    sentences.append(
        "a draw's distance to its neighbours among training latents, over that of a real image's "
        f"latent: {_each(rows, EMPTY, '.2f')}; the larger it is, the more draws fall where the "
        f"decoder was never trained. {_emptier(one, others)}"
    )
    sentences.append(
        f"mean absolute reconstruction error: {_each(rows, MAE, '.4f')}; the variational one's "
        f"latents hold {one.mean(KL):.1f} nats."
    )
    return sentences


def _each(rows: Mapping[str, GridRow], metric: str, form: str) -> str:
    """`1.0 (variational), 2.0 (plain) and 3.0 (fully connected)`."""
    values = [f"{row.mean(metric):{form}} ({name})" for name, row in rows.items()]
    return f"{', '.join(values[:-1])} and {values[-1]}"


def _nearer(one: GridRow, others: Mapping[str, GridRow]) -> str:
    gaps = {
        name: between(row.metrics[FRECHET], one.metrics[FRECHET]) for name, row in others.items()
    }
    sentences = []
    for words, names in (
        ("nearer to digits than", [n for n, gap in gaps.items() if shown(gap) and gap.mean > 0]),
        (
            "farther from digits than",
            [n for n, gap in gaps.items() if shown(gap) and gap.mean < 0],
        ),
        ("not shown to differ from", [n for n, gap in gaps.items() if not shown(gap)]),
    ):
        if names:
            sentences.append(
                f"The variational one's samples are {words} those of: {', '.join(names)}."
            )
    return " ".join(sentences)


def _emptier(one: GridRow, others: Mapping[str, GridRow]) -> str:
    """The gain from the KL term over coordinates of mean 0 and variance 1, if it shows."""
    if PLAIN not in others:
        return ""
    gap = between(others[PLAIN].metrics[EMPTY], one.metrics[EMPTY])
    if shown(gap) and gap.mean > 0:
        return (
            f"The {PLAIN} one's coordinates have the mean and the variance of N(0, I) one by one "
            "and leave holes all the same; only the KL term asks for the whole distribution."
        )
    return (
        f"That the KL term leaves fewer holes than coordinates of mean 0 and variance 1 ({PLAIN}) "
        "is not shown at this size."
    )


SWEEP = Sweep(
    title="Sampling: variational and plain",
    question="Do random vectors decode to digits, with a variational autoencoder and with plain "
    "ones?",
    points=points,
    x="latent size d",
    metrics=(FRECHET, CONFIDENCE, EMPTY, MAE),
    answer=answer,
    measure=measure,
    measure_version=2,
    quick=Budget(seeds=2, epochs=3, train_size=6000),
)

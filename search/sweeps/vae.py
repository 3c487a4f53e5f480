"""A variational autoencoder against plain ones: what decoding random vectors gives."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from search import recipes
from search.finals.cells import Kept
from search.measures.nearest import nearest_distances
from search.measures.samples import frechet_distance
from search.pipeline import load_pipeline
from search.rebuild import rebuild
from search.sweeping.outcome import Outcome, Row, between, shown
from search.sweeping.sweep import Budget, Point, Sweep
from search.trial import TrialImages
from trainers.data import DATASETS
from trainers.evaluation import encode
from trainers.loop import fit

VARIATIONAL, PLAIN, TEXTBOOK = "variational", "plain", "fully connected"
LINES = {
    VARIATIONAL: "mnist_vae",
    PLAIN: "mnist_autoencoder",  # whose encoder standardises every coordinate
    TEXTBOOK: "mnist_mlp_autoencoder",  # whose latents have whatever scale they have
}
DIMENSIONS = (2, 16)
SAMPLES = 2000
TRAINING = 10_000  # images that the judge is trained on, and latents that distances are taken to
JUDGE, JUDGE_EPOCHS = "mnist_supervised", 3
NEIGHBOUR = 10
CONFIDENCE, FRECHET, EMPTY = "samples/confidence", "samples/frechet", "samples/emptiness"
MAE, KL = "valid/mae", "valid/kl"


def points(quick: bool) -> list[Point]:
    """All three, with two and with sixteen coordinates."""
    return [
        Point(line=line, x=size, pipeline=pipeline, changes={"latent_dim": size})
        for line, pipeline in LINES.items()
        for size in (DIMENSIONS[:1] if quick else DIMENSIONS)
    ]


@torch.no_grad()
def measure(kept: Kept, images: TrialImages, quick: bool) -> Mapping[str, Any]:
    """What becomes of 2,000 draws of N(0, I) when they are decoded.

    `samples/confidence`: mean probability of the class that a judge (a classifier trained on real
    digits) names. `samples/frechet`: Frechet distance to real validation images in the judge's
    latent. `samples/emptiness`: distance of the draws to their tenth nearest training latent, over
    the median of real images' latents. `real/...`: the same of real images.
    """
    device = images.valid.images.device
    model = rebuild(kept.model, kept.weights()).to(device)
    assert model.decoder is not None
    judge = _judge(images)
    generator = torch.Generator(device).manual_seed(kept.cell.seed)
    known = encode(model.encoder, images.train.first(TRAINING))
    draws = torch.randn(SAMPLES, known.shape[1], generator=generator, device=device)
    decoded = torch.cat([model.decoder(part) for part in draws.split(1000)])
    real = images.valid.images[:SAMPLES].float() / 255
    other = images.train.images[TRAINING : TRAINING + SAMPLES].float() / 255
    found, of_real = _judged(judge, decoded), _judged(judge, real)
    k = min(NEIGHBOUR, len(known))
    of_latents = nearest_distances(
        encode(model.encoder, images.valid.first(SAMPLES)).cpu().numpy(), known.cpu().numpy(), k=k
    )
    away = nearest_distances(draws.cpu().numpy(), known.cpu().numpy(), k=k)
    values = {
        CONFIDENCE: found[1],
        FRECHET: frechet_distance(found[0], of_real[0]),
        EMPTY: float(np.median(away) / np.median(of_latents)),
        "real/confidence": of_real[1],
    }
    if len(other) > 1:  # two sets of real images: what no sample can be better than
        values["real/frechet"] = frechet_distance(_judged(judge, other)[0], of_real[0])
    return values


@functools.cache
def _judge(images: TrialImages) -> nn.Module:
    """A supervised network, trained for a few epochs on real digits with a fixed seed."""
    pipeline = load_pipeline(JUDGE)
    # Smoothed labels would keep it from ever being sure.
    params = {**pipeline.defaults, "batch_size": 128, "label_smoothing": 0.0}
    train = images.train.first(TRAINING)
    torch.manual_seed(0)
    method = pipeline.build(params, DATASETS[pipeline.dataset])
    assert isinstance(method, nn.Module)
    method.to(train.images.device)
    with torch.enable_grad():
        for _ in fit(method, train, recipes.optimisation(params), epochs=JUDGE_EPOCHS, seed=0):
            pass
    return method.eval()


def _judged(judge: Any, pixels: Tensor) -> tuple[np.ndarray, float]:
    """(N, D) features of (N, C, H, W) in [0, 1], and the mean confidence."""
    latents = torch.cat([judge.encoder(part) for part in pixels.split(1000)])
    chances = judge.classifier(latents).softmax(1)
    return latents.cpu().numpy(), chances.max(1).values.double().mean().item()


def answer(outcome: Outcome) -> list[str]:
    """Whose samples are digits, why, and what it costs."""
    lines = outcome.lines
    told = []
    for one in lines[VARIATIONAL]:
        others = {
            name: row
            for name in lines
            if name != VARIATIONAL
            for row in lines[name]
            if row.x == one.x
        }
        if others:
            told += [f"d = {one.x:g}: {said}" for said in _told(one, others)]
    return told


def _told(one: Row, others: Mapping[str, Row]) -> list[str]:
    rows = {VARIATIONAL: one, **others}
    told = [
        f"decoded draws of N(0, I) are {_each(rows, FRECHET, '.1f')} away from real digits by "
        "the Frechet distance in a classifier's latent"
        + (
            f"; two sets of real digits are {one.mean('real/frechet'):.1f} apart. "
            if "real/frechet" in one.metrics
            else ". "
        )
        + _nearer(one, others)
    ]
    told.append(
        f"the classifier's confidence on them is {_each(rows, CONFIDENCE, '.2f')}; on real digits "
        f"{one.mean('real/confidence'):.2f}."
    )
    told.append(
        "a draw's distance to its neighbours among training latents, over that of a real image's "
        f"latent: {_each(rows, EMPTY, '.2f')}; the larger it is, the more draws fall where the "
        f"decoder was never trained. {_emptier(one, others)}"
    )
    told.append(
        f"mean absolute reconstruction error: {_each(rows, MAE, '.4f')}; the variational one's "
        f"latents hold {one.mean(KL):.1f} nats."
    )
    return told


def _each(rows: Mapping[str, Row], metric: str, form: str) -> str:
    """`1.0 (variational), 2.0 (plain) and 3.0 (fully connected)`."""
    values = [f"{row.mean(metric):{form}} ({name})" for name, row in rows.items()]
    return f"{', '.join(values[:-1])} and {values[-1]}"


def _nearer(one: Row, others: Mapping[str, Row]) -> str:
    found = {
        name: between(row.metrics[FRECHET], one.metrics[FRECHET]) for name, row in others.items()
    }
    told = []
    for words, names in (
        ("nearer to digits than", [n for n, gap in found.items() if shown(gap) and gap.mean > 0]),
        (
            "farther from digits than",
            [n for n, gap in found.items() if shown(gap) and gap.mean < 0],
        ),
        ("not shown to differ from", [n for n, gap in found.items() if not shown(gap)]),
    ):
        if names:
            told.append(f"The variational one's samples are {words} those of: {', '.join(names)}.")
    return " ".join(told)


def _emptier(one: Row, others: Mapping[str, Row]) -> str:
    """What the KL term brings beyond coordinates of mean 0 and variance 1, if it shows."""
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
    full=Budget(seeds=3),
    quick=Budget(seeds=2, epochs=3, train_size=6000),
)

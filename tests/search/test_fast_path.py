"""What makes training fast changes no result: every step beside a plain loop in double precision.

The plain loop shares the weights at the start, the order of the images and the random draws of the
views. It has neither channels-last memory, mixed precision, fused optimizers nor resident data.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from search.spaces import builders
from search.spaces.pipeline import Pipeline, load_pipeline
from tests.trainers.test_muon import by_definition
from trainers.data import load_training
from trainers.loop import DeviceImages, fit, fit_stems
from trainers.muon import MATCHED_RMS, MOMENTUM
from trainers.precision import Precision

pytestmark = pytest.mark.slow

KINDS = ("autoencoder", "supervised", "contrastive")
PIPELINES = [f"{data}_{kind}" for data in ("mnist", "cifar") for kind in KINDS]
BATCH, STEPS = 64, 12


def build(pipeline: Pipeline) -> tuple[Any, dict[str, Any]]:
    params = {**pipeline.defaults, "width": 16, "batch_size": BATCH, "augment_strength": 0.3}
    torch.manual_seed(0)
    return pipeline.method(params), params


def images_of(pipeline: Pipeline) -> DeviceImages:
    data = load_training(pipeline.dataset, mini=True)
    return DeviceImages.load(data.train, torch.device("cpu")).first(BATCH)


def fast(pipeline: Pipeline, precision: Precision) -> list[float]:
    """The project's own training; one batch an epoch, so that each step's loss is told."""
    method, params = build(pipeline)
    method.to(memory_format=torch.channels_last)
    settings = builders.optimisation(params)
    course = fit(method, images_of(pipeline), settings, epochs=STEPS, seed=1, precision=precision)
    return [result.loss for result in course]


@cache
def plain(name: str) -> list[float]:
    """The same written out; optimizer steps one weight at a time, from the formulas."""
    pipeline = load_pipeline(name)
    method, params = build(pipeline)
    settings = builders.optimisation(params)
    data = images_of(pipeline)
    fit_stems(method, data)
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(1)
    views = method.augmentation
    method.augmentation = lambda images, generator: views(images.float(), generator).double()
    method.double().train()
    moments: dict[nn.Parameter, tuple[Tensor, Tensor]] = {}
    course = []
    for step in range(STEPS):
        order = torch.randperm(BATCH, generator=generator).tolist()
        images = torch.stack([data.images[i] / 255 for i in order]).double()
        labels = torch.stack([data.labels[i] for i in order])
        loss = method.loss(images, labels, generator)
        parameters = list(method.parameters())
        gradients = list(torch.autograd.grad(loss, parameters))
        length = math.sqrt(sum(g.square().sum().item() for g in gradients))
        rate = settings.rate(step, STEPS)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                gradient = gradient * min(1.0, settings.clip_norm / length)
                if parameter.ndim > 1:
                    parameter *= 1 - rate * settings.weight_decay
                zeros = torch.zeros_like(parameter)
                mean, square = moments.get(parameter, (zeros, zeros))
                if settings.optimizer == "muon" and parameter.ndim == 4:
                    mean = MOMENTUM * mean + (1 - MOMENTUM) * gradient
                    moments[parameter] = mean, square
                    ahead = (1 - MOMENTUM) * gradient + MOMENTUM * mean
                    parameter -= rate * muons_update(ahead)
                    continue
                mean = 0.9 * mean + 0.1 * gradient
                square = 0.999 * square + 0.001 * gradient**2
                moments[parameter] = mean, square
                root = (square / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8
                parameter -= rate * mean / (1 - 0.9 ** (step + 1)) / root
        course.append(loss.item())
    return course


def muons_update(kernel: Tensor) -> Tensor:
    """The published loop on the whole matrix (Jordan et al., 2024), at AdamW's size."""
    rows = kernel.flatten(1)
    size = MATCHED_RMS * math.sqrt(max(rows.shape))
    return size * by_definition(rows).reshape(kernel.shape)


# Relative, of the first step's loss, the second's, and all: Adam's first step is nearly the sign
# of the gradient, so that rounding grows from there on. Measured: at most 2e-6, 3e-4, 1.4e-2 in
# float32 and 2e-3, 4e-3, 5e-2 in bfloat16.
TOLERANCE = {"float32": (2e-5, 2e-3, 5e-2), "bfloat16": (8e-3, 2e-2, 0.15)}


@pytest.mark.parametrize("precision", TOLERANCE)
@pytest.mark.parametrize("name", PIPELINES)
def test_each_step_is_that_of_a_plain_loop(name: str, precision: Precision) -> None:
    found, expected = fast(load_pipeline(name), precision), plain(name)
    first, second, all_of_them = TOLERANCE[precision]
    assert found[0] == pytest.approx(expected[0], rel=first)
    assert found[1] == pytest.approx(expected[1], rel=second)
    assert found == pytest.approx(expected, rel=all_of_them)
    assert min(expected) < 0.9 * expected[0]  # there is something to follow

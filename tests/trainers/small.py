"""Tiny learnable images and one small instance of every method, for all tests of the training."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import Classifier, ConvDecoder, ConvEncoder, ProjectionHead, VariationalEncoder
from trainers import methods
from trainers.augmentation import Digits
from trainers.loop import DeviceImages
from trainers.methods import (
    AlignedAutoencoder,
    Autoencoder,
    Contrastive,
    MaskedAutoencoder,
    Method,
    Supervised,
    VariationalAutoencoder,
)
from trainers.reconstruction import ReconstructionLoss

CLASSES = 4
SIZE = 12  # pixels
LATENT_DIM = 8


def small_encoder(dropout: float = 0.0) -> ConvEncoder:
    return ConvEncoder(
        channels=1, size=SIZE, width=4, depth=2, latent_dim=LATENT_DIM, dropout=dropout
    )


KINDS = [getattr(methods, name) for name in methods.__all__ if name != "Method"]


def parts(kind: type, dropout: float) -> dict[str, Any]:
    """What a method is made of, besides its augmentation."""
    if kind is Supervised:
        classifier = Classifier(latent_dim=LATENT_DIM, classes=CLASSES)
        return {"classifier": classifier, "encoder": small_encoder(dropout)}
    if issubclass(kind, Contrastive):
        projection = ProjectionHead(latent_dim=LATENT_DIM, hidden_dim=16, output_dim=8)
        return {"projection": projection, "encoder": small_encoder(dropout)}
    encoder: nn.Module = small_encoder(dropout)
    if kind is VariationalAutoencoder:
        encoder = VariationalEncoder(encoder, feature_dim=LATENT_DIM, latent_dim=LATENT_DIM)
    decoder = ConvDecoder(channels=1, size=SIZE, width=4, depth=2, latent_dim=LATENT_DIM)
    made: dict[str, Any] = {"encoder": encoder, "decoder": decoder}
    if issubclass(kind, Autoencoder):
        made["reconstruction_loss"] = ReconstructionLoss(kind="mixed", texture_weight=1.0)
    if issubclass(kind, MaskedAutoencoder):
        made["mask_ratio"] = 0.5
    if kind is AlignedAutoencoder:
        made |= {"agreement": "align_uniform", "agreement_weight": 0.1}
    return made


def build_method(
    kind: type, *, seed: int = 0, strength: float = 0.5, dropout: float = 0.0
) -> Method:
    """A small one; the seed decides the weights."""
    torch.manual_seed(seed)
    return kind(**parts(kind, dropout), augmentation=Digits(strength))


def make_images(count: int, seed: int = 0) -> DeviceImages:
    """Four classes that a small network tells apart: a bright bar under some noise in its place."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    images = torch.randint(0, 60, (count, 1, SIZE, SIZE), generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 3 * label : 3 * label + 2, 2:-2] += 180
    return DeviceImages(images=images.to(torch.uint8), labels=labels)


class Passed(nn.Module):
    """The images as they come, or flattened; keeps what passed."""

    def __init__(self, *, flatten: bool = False) -> None:
        super().__init__()
        self.flatten = flatten
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        return images.flatten(1) if self.flatten else images


def weights(module: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters and buffers by name."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two such copies are equal to the last bit."""
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def pictures(count: int = 16, channels: int = 3, side: int = 32, seed: int = 0) -> Tensor:
    """(N, C, S, S) of uniform noise in [0, 1]."""
    return torch.rand(count, channels, side, side, generator=drawing(seed))


def drawing(seed: int) -> torch.Generator:
    """Draws what the seed says."""
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers."""
    return torch.randn(shape, generator=drawing(seed))


def check_slopes(loss: Callable[..., Tensor], *places: Tensor) -> None:
    """Loosely, in float32: gradients in ten directions, each beside a central difference.

    Rounding moves a slope by about 1e-7 / 1e-2, the third derivative by about 1e-4.
    """
    learned = [place.clone().requires_grad_() for place in places]
    gradients = torch.autograd.grad(loss(*learned), learned)
    for seed in range(100, 110):
        ways = [normal(*place.shape, seed=seed + 10 * i) for i, place in enumerate(places)]
        step = 0.01 / math.sqrt(sum(way.square().sum().item() for way in ways))
        ahead, behind = (
            loss(*(place + sign * step * way for place, way in zip(places, ways, strict=True)))
            for sign in (1, -1)
        )
        slope = sum((g * way).sum() for g, way in zip(gradients, ways, strict=True))
        found = (ahead - behind).item() / 0.02
        assert found == pytest.approx(float(slope) * step / 0.01, rel=0.02, abs=1e-3)

"""Tiny learnable images and one small instance of every method, for all tests of the training."""

from __future__ import annotations

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


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def method_kind(request: pytest.FixtureRequest) -> type:
    """Each method's class in turn."""
    return request.param


@pytest.fixture
def build_method() -> Callable[..., Method]:
    """`build_method(kind, seed=0, strength=0.5, dropout=0.0)`; a seed decides the weights."""

    def build(kind: type, *, seed: int = 0, strength: float = 0.5, dropout: float = 0.0) -> Method:
        torch.manual_seed(seed)
        return kind(**parts(kind, dropout), augmentation=Digits(strength))

    return build


def draw_images(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """(N, 1, S, S) uint8 and (N,): a bright bar, whose place is the class, under some noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    images = torch.randint(0, 60, (count, 1, SIZE, SIZE), generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 3 * label : 3 * label + 2, 2:-2] += 180
    return images.to(torch.uint8), labels


@pytest.fixture
def make_images() -> Callable[..., DeviceImages]:
    """`make_images(count, seed=0)`: four classes that a small network tells apart."""

    def make(count: int, seed: int = 0) -> DeviceImages:
        images, labels = draw_images(count, seed)
        return DeviceImages(images=images, labels=labels)

    return make


@pytest.fixture
def weights() -> Callable[[nn.Module], dict[str, Tensor]]:
    """`weights(module)`: a copy of all parameters and buffers by name."""

    def copy(module: nn.Module) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in module.state_dict().items()}

    return copy

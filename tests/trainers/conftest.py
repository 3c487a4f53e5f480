"""Tiny learnable images and one small instance of every method, for all tests of the training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import Classifier, ConvDecoder, ConvEncoder, ProjectionHead, VariationalEncoder
from trainers.augmentation import Augmentation, Digits
from trainers.loop import DeviceImages
from trainers.methods import (
    AlignedAutoencoder,
    Autoencoder,
    Contrastive,
    MaskedAutoencoder,
    Method,
    Supervised,
    SupervisedContrastive,
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


def reconstructing(augmentation: Augmentation, dropout: float) -> dict[str, Any]:
    """What every autoencoder here is made of."""
    return {
        "encoder": small_encoder(dropout),
        "decoder": ConvDecoder(channels=1, size=SIZE, width=4, depth=2, latent_dim=LATENT_DIM),
        "augmentation": augmentation,
        "reconstruction_loss": ReconstructionLoss(kind="mixed", texture_weight=1.0),
    }


def autoencoder(augmentation: Augmentation, dropout: float) -> Autoencoder:
    return Autoencoder(**reconstructing(augmentation, dropout))


def masked_autoencoder(augmentation: Augmentation, dropout: float) -> MaskedAutoencoder:
    return MaskedAutoencoder(**reconstructing(augmentation, dropout), mask_ratio=0.5)


def aligned_autoencoder(augmentation: Augmentation, dropout: float) -> AlignedAutoencoder:
    parts = reconstructing(augmentation, dropout)
    return AlignedAutoencoder(
        **parts, mask_ratio=0.5, agreement="align_uniform", agreement_weight=0.1
    )


def supervised(augmentation: Augmentation, dropout: float) -> Supervised:
    classifier = Classifier(latent_dim=LATENT_DIM, classes=CLASSES)
    return Supervised(
        encoder=small_encoder(dropout), classifier=classifier, augmentation=augmentation
    )


def contrastive(augmentation: Augmentation, dropout: float) -> Contrastive:
    projection = ProjectionHead(latent_dim=LATENT_DIM, hidden_dim=16, output_dim=8)
    return Contrastive(
        encoder=small_encoder(dropout), projection=projection, augmentation=augmentation
    )


def supervised_contrastive(augmentation: Augmentation, dropout: float) -> SupervisedContrastive:
    projection = ProjectionHead(latent_dim=LATENT_DIM, hidden_dim=16, output_dim=8)
    return SupervisedContrastive(
        encoder=small_encoder(dropout), projection=projection, augmentation=augmentation
    )


def variational(augmentation: Augmentation, dropout: float) -> VariationalAutoencoder:
    encoder = VariationalEncoder(
        small_encoder(dropout), feature_dim=LATENT_DIM, latent_dim=LATENT_DIM
    )
    decoder = ConvDecoder(channels=1, size=SIZE, width=4, depth=2, latent_dim=LATENT_DIM)
    return VariationalAutoencoder(encoder=encoder, decoder=decoder, augmentation=augmentation)


BUILDERS: dict[type, Callable[[Augmentation, float], Method]] = {
    AlignedAutoencoder: aligned_autoencoder,
    Autoencoder: autoencoder,
    Contrastive: contrastive,
    MaskedAutoencoder: masked_autoencoder,
    Supervised: supervised,
    SupervisedContrastive: supervised_contrastive,
    VariationalAutoencoder: variational,
}


@pytest.fixture(params=BUILDERS, ids=lambda kind: kind.__name__)
def method_kind(request: pytest.FixtureRequest) -> type:
    """Each method's class in turn."""
    return request.param


@pytest.fixture
def build_method() -> Callable[..., Method]:
    """`build_method(kind, seed=0, strength=0.5, dropout=0.0)`; a seed decides the weights."""

    def build(kind: type, *, seed: int = 0, strength: float = 0.5, dropout: float = 0.0) -> Method:
        torch.manual_seed(seed)
        return BUILDERS[kind](Digits(strength), dropout)

    return build


@pytest.fixture
def kinds_built() -> set[type]:
    """The methods that `method_kind` runs over."""
    return set(BUILDERS)


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

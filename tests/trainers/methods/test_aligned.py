"""The aligned autoencoder: what its views are, what must come out, what must agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.small import drawing, pictures
from trainers.augmentation import NaturalImages
from trainers.losses import align_uniform, barlow_twins
from trainers.methods import AlignedAutoencoder
from trainers.methods.aligned import Agreement
from trainers.reconstruction import ReconstructionLoss

LABELS = torch.zeros(16)


class Columns(nn.Module):
    """(B, C, H, W) -> (B, 3 H), and what passed: views that differ have latents that differ."""

    def forward(self, images: Tensor) -> Tensor:
        self.seen = images
        return images.mean(3).flatten(1)


class Constant(nn.Module):
    """The same images whatever comes in."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = images

    def forward(self, features: Tensor) -> Tensor:
        return self.images + 0 * features.sum()


def make(**changed: Any) -> AlignedAutoencoder:
    parts: dict[str, Any] = {
        "encoder": Columns(),
        "decoder": Constant(torch.cat([pictures(), pictures()])),
        "augmentation": NaturalImages(0.5),
        "reconstruction_loss": ReconstructionLoss(kind="l2"),
        "agreement": "align_uniform",
        "agreement_weight": 0.75,
        "mask_ratio": 0.0,
    }
    return AlignedAutoencoder(**{**parts, **changed})


@pytest.mark.parametrize("mask_ratio", [0.0, 0.5])
@pytest.mark.parametrize(
    ("name", "agreement"), [("barlow_twins", barlow_twins), ("align_uniform", align_uniform)]
)
def test_the_latents_of_two_views_of_an_image_are_compared(
    name: Agreement, agreement: Callable[[Tensor, Tensor], Tensor], mask_ratio: float
) -> None:
    """With a decoder that is right whatever it gets, the rest of the loss is theirs."""
    method = make(agreement=name, mask_ratio=mask_ratio)
    loss = method.loss(pictures(), LABELS, drawing(1))
    first, second = method.encoder.seen.chunk(2)
    assert not torch.equal(first, second), "two draws of the same image"
    expected = 0.75 * agreement(Columns()(first), Columns()(second))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5) and abs(loss.item()) > 0.01


def test_both_views_must_become_the_clean_image() -> None:
    """A decoder that is off by 0.1 in one half of the pictures has half of that error's loss."""
    halves = torch.cat([pictures(), pictures() + 0.1])
    method = make(decoder=Constant(halves), agreement_weight=0.0)
    loss = method.loss(pictures(), LABELS, drawing(1))
    assert loss.item() == pytest.approx(4 * 0.1**2 / 2, rel=1e-3)


def test_squares_are_hidden_from_the_encoder_only_where_asked_for() -> None:
    plain, hiding = make(), make(mask_ratio=0.5)
    for method in (plain, hiding):
        method.loss(pictures(), LABELS, drawing(1))
    differ = (plain.encoder.seen != hiding.encoder.seen).any(1)[:, ::4, ::4].float().mean()
    assert 0.1 < differ < 0.4  # shares are uniform up to a half


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"agreement_weight": -0.1}, "agreement_weight is -0.1, it must be 0 or more"),
        ({"agreement_weight": math.inf}, "agreement_weight is inf, it must be 0 or more"),
        ({"agreement_weight": math.nan}, "agreement_weight is nan, it must be 0 or more"),
        ({"agreement": "hope"}, "agreement is 'hope'; allowed: barlow_twins, align_uniform"),
    ],
)
def test_bad_values_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changed)

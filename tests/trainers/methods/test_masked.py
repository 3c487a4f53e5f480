"""The masked autoencoder: what it hides, what it shows, what must come out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.trainers.small import drawing, pictures
from trainers.augmentation import NaturalImages
from trainers.methods import MaskedAutoencoder
from trainers.methods.masked import hide_squares
from trainers.reconstruction import ReconstructionLoss


def copying(mask_ratio: float, strength: float = 0.0) -> MaskedAutoencoder:
    """What it sees comes out."""
    return MaskedAutoencoder(
        encoder=nn.Identity(),
        decoder=nn.Identity(),
        augmentation=NaturalImages(strength),
        reconstruction_loss=ReconstructionLoss(kind="l2"),
        mask_ratio=mask_ratio,
    )


@pytest.mark.parametrize(("channels", "side"), [(3, 32), (1, 28), (3, 30)])
def test_whole_squares_are_hidden_in_the_images_mean_colour(channels: int, side: int) -> None:
    images = pictures(400, channels=channels, side=side)
    seen = hide_squares(images, 0.75, drawing(1))
    hidden = (seen != images).any(1, keepdim=True)
    squares = hidden[:, :, ::4, ::4]
    spread = squares.repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, :side, :side]
    assert torch.equal(hidden, spread) and hidden.any()
    mean = images.mean((2, 3), keepdim=True).expand_as(images)
    torch.testing.assert_close(seen, torch.where(hidden, mean, images))


def test_an_image_hides_from_nothing_to_the_ratio() -> None:
    """The share is uniform in [0, 0.6] over 4,000 images and 64 squares: its mean is 0.3 and, with
    the squares' own draw, its deviation 0.18; the mean of 4,000 is off by 0.015 once in 10⁷ seeds.
    """
    images = pictures(4000)
    seen = hide_squares(images, 0.6, drawing(1))
    share = (seen != images).any(1)[:, ::4, ::4].float().mean((1, 2))
    assert share.mean().item() == pytest.approx(0.3, abs=0.015)
    assert (share < 0.1).float().mean() > 0.1 and (share > 0.5).float().mean() > 0.1


def test_the_view_without_gaps_is_the_target() -> None:
    """Copying is right where nothing is hidden, crop and colours included, and wrong elsewhere."""
    images, labels = pictures(16), torch.zeros(16)
    assert copying(0.0, strength=0.5).loss(images, labels, drawing(1)).item() == 0
    method = copying(0.5)
    seen = hide_squares(images, 0.5, drawing(1))
    loss = method.loss(images, labels, drawing(1)).item()
    assert loss == pytest.approx(4 * (seen - images).square().mean().item()) and loss > 0.01


@pytest.mark.parametrize("ratio", [-0.1, 1.0, math.nan])
def test_bad_values_are_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=f"mask_ratio is {ratio}, it must be at least 0 and below"):
        copying(ratio)

"""The masked autoencoder: what it hides, what it shows, what must come out."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from trainers.augmentation import Digits, NaturalImages
from trainers.losses import align_uniform, barlow_twins
from trainers.methods import MaskedAutoencoder
from trainers.methods.masked import Agreement
from trainers.reconstruction import ReconstructionLoss

SQUARED = ReconstructionLoss(kind="l2")


class Remember(nn.Module):
    """The identity, keeping what passed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, features: Tensor) -> Tensor:
        self.seen.append(features)
        return features


class Constant(nn.Module):
    """The same images whatever comes in."""

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = images

    def forward(self, features: Tensor) -> Tensor:
        return self.images + 0 * features


def pictures(count: int = 400, side: int = 32) -> Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


MakeMethod = Callable[..., MaskedAutoencoder]


@pytest.fixture
def make() -> MakeMethod:
    """`make(mask_ratio)`; the rest as of `MaskedAutoencoder`, but `loss` and `strength`."""

    def made(
        mask_ratio: float,
        patch: int = 4,
        strength: float = 0.0,
        encoder: nn.Module | None = None,
        decoder: nn.Module | None = None,
        agreement: Agreement = "align_uniform",
        agreement_weight: float = 0.0,
        loss: ReconstructionLoss = SQUARED,
    ) -> MaskedAutoencoder:
        return MaskedAutoencoder(
            encoder=encoder or nn.Identity(),
            decoder=decoder or nn.Identity(),
            augmentation=NaturalImages(strength),
            mask_ratio=mask_ratio,
            patch=patch,
            agreement=agreement,
            agreement_weight=agreement_weight,
            reconstruction_loss=loss,
        )

    return made


@pytest.mark.parametrize("side", [32, 28, 30])
def test_whole_squares_are_hidden_in_the_images_mean_colour(make: MakeMethod, side: int) -> None:
    images = pictures(side=side)
    seen = make(0.75).hide(images, generator())
    hidden = (seen != images).any(1, keepdim=True)
    squares = hidden[:, :, ::4, ::4]
    spread = squares.repeat_interleave(4, 2).repeat_interleave(4, 3)[:, :, :side, :side]
    assert torch.equal(hidden, spread)
    mean = images.mean((2, 3), keepdim=True).expand_as(images)
    torch.testing.assert_close(seen, torch.where(hidden, mean, images))


def test_an_image_hides_from_nothing_to_the_ratio(make: MakeMethod) -> None:
    """The share is uniform in [0, 0.6] over 4,000 images and 64 squares: its mean is 0.3 and, with
    the squares' own draw, its deviation 0.18; the mean of 4,000 is off by 0.015 once in 10⁷ seeds.
    """
    images = pictures(4000)
    seen = make(0.6).hide(images, generator())
    share = (seen != images).any(1)[:, ::4, ::4].float().mean((1, 2))
    assert share.mean().item() == pytest.approx(0.3, abs=0.015)
    assert (share < 0.1).float().mean() > 0.1 and (share > 0.5).float().mean() > 0.1


def test_nothing_hidden_draws_nothing(make: MakeMethod) -> None:
    images, source = pictures(4), generator()
    state = source.get_state()
    assert make(0.0).hide(images, source) is images
    assert torch.equal(source.get_state(), state)


def test_the_clean_image_is_the_target_of_a_changed_view(make: MakeMethod) -> None:
    """A decoder that knows the clean images has loss 0; what was shown to it was not them."""
    images, encoder = pictures(16), Remember()
    method = make(0.5, strength=0.5, encoder=encoder, decoder=Constant(images))
    assert method.loss(images, torch.zeros(16), generator()).item() == 0
    (seen,) = encoder.seen
    assert not torch.equal(seen, images)
    copying = make(0.5, strength=0.5)
    assert copying.loss(images, torch.zeros(16), generator()).item() > 0.01


class Columns(nn.Module):
    """(B, C, H, W) -> (B, 3 H): two views of an image that differ have latents that differ."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(3).flatten(1)


@pytest.mark.parametrize(
    ("name", "agreement"), [("barlow_twins", barlow_twins), ("align_uniform", align_uniform)]
)
def test_the_latents_of_two_views_of_an_image_are_compared(
    make: MakeMethod, name: Agreement, agreement: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """With a decoder that is right whatever it gets, the rest of the loss is theirs."""
    images, encoder = pictures(16), Remember()
    both = nn.Sequential(encoder, Columns())
    clean = Constant(torch.cat([images, images]))
    right = nn.Sequential(nn.Unflatten(1, (3, 32, 1)), clean)
    networks = {"encoder": both, "decoder": right}
    method = make(0.5, strength=0.5, **networks, agreement=name, agreement_weight=0.75)
    loss = method.loss(images, torch.zeros(16), generator())
    first, second = encoder.seen[0].chunk(2)
    assert len(encoder.seen) == 1 and first.shape == images.shape
    assert not torch.equal(first, second), "two draws of the same image"
    columns = Columns()
    expected = 0.75 * agreement(columns(first), columns(second))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5) and abs(loss.item()) > 0.01


def test_both_views_must_become_the_clean_image(make: MakeMethod) -> None:
    """A small weight's loss is nearly the mean of two plain ones, over the same draws."""
    images = pictures(16)

    class Keep(nn.Module):
        def forward(self, view: Tensor) -> Tensor:
            return view.flatten(1)

    networks = {"encoder": Keep(), "decoder": nn.Unflatten(1, (3, 32, 32))}
    paired = make(0.5, strength=0.5, agreement_weight=1e-9, **networks)
    loss = paired.loss(images, torch.zeros(16), generator())
    twice = make(0.5, strength=0.5, **networks)
    plain = twice.loss(torch.cat([images, images]), torch.zeros(32), generator())
    torch.testing.assert_close(loss, plain)


def test_the_loss_is_the_one_that_is_given(make: MakeMethod) -> None:
    images = pictures(4)
    brightness = ReconstructionLoss(kind="l2", brightness_weight=0.25)
    method = make(0.0, decoder=Constant(images + 0.1), loss=brightness)
    loss = method.loss(images, torch.zeros(4), generator())
    assert loss.item() == pytest.approx(0.25 * 4 * 0.1**2, rel=1e-3)


def test_gray_digits_are_hidden_as_well() -> None:
    images = torch.rand(8, 1, 28, 28, generator=generator(0))
    method = MaskedAutoencoder(
        encoder=nn.Identity(),
        decoder=nn.Identity(),
        augmentation=Digits(0.0),
        reconstruction_loss=SQUARED,
        mask_ratio=0.9,
    )
    assert not torch.equal(method.hide(images, generator()), images)


@pytest.mark.parametrize(
    ("ratio", "patch"), [(-0.1, 4), (1.0, 4), (math.nan, 4), (0.5, 0)], ids=str
)
def test_bad_values_are_refused(make: MakeMethod, ratio: float, patch: int) -> None:
    with pytest.raises(ValueError, match=f"mask_ratio is {ratio}, patch {patch}; allowed"):
        make(ratio, patch)


@pytest.mark.parametrize("weight", [-0.1, math.nan, math.inf])
def test_an_agreement_weight_below_zero_is_refused(make: MakeMethod, weight: float) -> None:
    with pytest.raises(ValueError, match=f"agreement_weight is {weight}, it must be 0 or more"):
        make(0.5, agreement_weight=weight)


def test_an_unknown_agreement_is_refused(make: MakeMethod) -> None:
    with pytest.raises(ValueError, match="agreement is 'hope'; allowed: barlow_twins, align_unif"):
        make(0.5, agreement="hope")

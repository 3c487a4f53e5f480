"""Policies: what is drawn, from which ranges, one draw per image, and what strength 0 means."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from trainers.augmentation import Augmentation, Digits, NaturalImages, Shifts, augmentation_for

POLICIES = [NaturalImages, Digits, Shifts]


def generator(device: str, seed: int = 0) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def pictures(device: str, count: int = 16, channels: int = 3, size: int = 32) -> Tensor:
    return torch.rand(count, channels, size, size, generator=generator(device), device=device)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_shape_type_and_range_are_kept(
    device: str, policy: type, channels: int, dtype: torch.dtype, strength: float
) -> None:
    images = pictures(device, 64, channels).to(dtype)
    before = images.clone()
    with torch.no_grad():
        views = policy(strength)(images, generator(device))
    assert views.shape == images.shape and views.dtype == dtype and views.is_contiguous()
    assert views.device == images.device
    assert views.min() >= 0 and views.max() <= 1
    assert torch.equal(images, before)
    assert not torch.equal(views, images)


@pytest.mark.parametrize("policy", POLICIES)
def test_strength_zero_returns_the_images_and_draws_nothing(device: str, policy: type) -> None:
    images, source = pictures(device), generator(device)
    state = source.get_state()
    assert policy(0.0)(images, source) is images
    assert torch.equal(source.get_state(), state)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("strength", [-0.01, 1.01, math.nan, math.inf])
def test_a_strength_outside_is_refused(policy: type, strength: float) -> None:
    message = rf"strength is {strength}; allowed is a number in \[0, 1\]"
    with pytest.raises(ValueError, match=message):
        policy(strength)


@pytest.mark.parametrize("policy", POLICIES)
def test_the_seed_decides_the_views(device: str, policy: type) -> None:
    images, augment = pictures(device), policy(0.5)
    first = augment(images, generator(device, 1))
    assert torch.equal(first, augment(images, generator(device, 1)))
    assert not torch.equal(first, augment(images, generator(device, 2)))


@pytest.mark.parametrize("policy", [NaturalImages, Digits])
def test_every_image_has_its_own_draw(device: str, policy: type) -> None:
    """The same picture 16 times gives 16 pictures; two calls with one generator differ as well."""
    images = pictures(device, 1).expand(16, 3, 32, 32)
    source, augment = generator(device), policy(0.5)
    views = torch.cat([augment(images, source), augment(images, source)]).flatten(1)
    assert torch.cdist(views, views).fill_diagonal_(1).min() > 1e-2


@pytest.mark.parametrize("policy", POLICIES)
def test_a_small_strength_is_a_small_change(device: str, policy: type) -> None:
    smooth = torch.linspace(0.1, 0.9, 32, device=device).expand(8, 3, 32, 32)
    views = policy(1e-3)(smooth, generator(device))
    # Digits let black in at the edge, so that only the inside is compared.
    inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
    unflipped = torch.minimum(
        (views - smooth).abs()[inner].amax((1, 2, 3)),
        (views - smooth.flip(-1)).abs()[inner].amax((1, 2, 3)),
    )
    assert unflipped.max() < 5e-3


@pytest.mark.parametrize("policy", POLICIES)
def test_autocast_leaves_the_type_and_the_values_alone(device: str, policy: type) -> None:
    images, augment = pictures(device), policy(0.5)
    plain = augment(images, generator(device))
    with torch.autocast(device, dtype=torch.bfloat16):
        views = augment(images, generator(device))
    assert views.dtype == torch.float32
    torch.testing.assert_close(views, plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("policy", POLICIES)
def test_an_empty_batch_is_no_error_and_uint8_images_are_at_any_strength(policy: type) -> None:
    assert policy(0.5)(pictures("cpu", 0), generator("cpu")).shape == (0, 3, 32, 32)
    images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    for strength in (0.0, 0.5):
        with pytest.raises(ValueError, match=r"torch\.uint8"):
            policy(strength)(images, generator("cpu"))


@pytest.mark.parametrize("strength", [0.2, 1.0])
def test_boxes_lie_inside_and_have_the_area_and_ratio_drawn(strength: float) -> None:
    """The corners of the unit cube of draws, where every bound is met, and 10,000 inside it."""
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    draws = torch.cat([corners, torch.rand(10_000, 4, generator=generator("cpu"))])
    boxes = NaturalImages(strength).draw_boxes(*draws.T, rows=32, columns=32)
    top, left, height, width = boxes
    assert min(top.min(), left.min()) >= 0 and min(height.min(), width.min()) >= 1
    assert (top + height).max() <= 32 and (left + width).max() <= 32
    area = height * width / 32**2
    smallest = 0.08 + 0.92 * (1 - strength) ** 2
    torch.testing.assert_close(area, 1 - (1 - smallest) * draws[:, 0], rtol=1e-5, atol=1e-6)
    ratio, limit = (width / height).log().abs(), strength * math.log(4 / 3)
    assert ratio.max() <= limit + 1e-5
    # Where the whole range fits, the whole range is used.
    assert ratio[area < math.exp(-limit)].max() > 0.99 * limit


def flipped_share(policy: Augmentation, count: int) -> float:
    """Share of views in which a ramp that rises to the right falls, whatever else was drawn."""
    ramp = torch.linspace(0.2, 0.8, 32).expand(count, 1, 32, 32)
    views = policy(ramp, generator("cpu"))[..., 12:20, :]
    left, right = views[..., 10:16].mean((1, 2, 3)), views[..., 16:22].mean((1, 2, 3))
    return float((left > right).float().mean())


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        *((NaturalImages(0.1), 0.2), (NaturalImages(0.5), 0.5), (NaturalImages(1.0), 0.5)),
        (Digits(1.0), 0.0),
    ],
)
def test_flips_come_as_often_as_said(policy: Augmentation, expected: float) -> None:
    """4,000 views, 5 standard deviations (at most 0.04): a false alarm in 1.7 million seeds."""
    share = flipped_share(policy, 4000)
    assert abs(share - expected) <= 5 * math.sqrt(expected * (1 - expected) / 4000)


@pytest.mark.parametrize("strength, expected", [(0.25, 0.1), (1.0, 0.2)])
def test_grayscale_comes_as_often_as_said(strength: float, expected: float) -> None:
    """5 standard deviations as above; at strength 1 too, saturation stays above 0.2."""
    colours = torch.tensor([0.55, 0.45, 0.4]).view(1, 3, 1, 1).expand(4000, 3, 8, 8)
    views = NaturalImages(strength)(colours, generator("cpu"))
    gray = (views.amax(1) - views.amin(1)).amax((1, 2)) < 1e-5
    allowed = 5 * math.sqrt(expected * (1 - expected) / 4000)
    assert abs(float(gray.float().mean()) - expected) < allowed


def test_digits_keep_their_colours() -> None:
    """The middle of a white image stays white: nothing but geometry is drawn."""
    views = Digits(1.0)(torch.ones(256, 1, 28, 28), generator("cpu"))
    middle = views[..., 13:15, 13:15]
    torch.testing.assert_close(middle, torch.ones_like(middle), rtol=0, atol=1e-6)


def test_digits_shift_by_as_much_as_said() -> None:
    """A dot in the centre moves by the shift alone: 0.15 of the side, both axes, both ways."""
    dots = torch.zeros(2000, 1, 29, 29)
    dots[:, :, 13:16, 13:16] = 1
    views = Digits(1.0)(dots, generator("cpu"))[:, 0]
    place = torch.arange(29.0) - 14
    mass = views.sum((1, 2))
    for moved in ((views.sum(axis) * place).sum(1) / mass for axis in (1, 2)):
        # All 2,000 draws miss the last 3 % on one side (1.5 % of the range) with probability 1e-13.
        limit = 0.15 * 29
        assert 0.97 * limit < moved.max() < 1.03 * limit
        assert -1.03 * limit < moved.min() < -0.97 * limit


def test_shifts_are_whole_pixels_up_to_their_reach_and_flips_every_second(device: str) -> None:
    """A ramp tells where each pixel came from. Of 4,000 views the rarest of 25 shifts is expected
    160 times: fewer than 80 come once in 10¹⁰ seeds, and the seed is fixed."""
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    ramp = torch.stack([rows, columns])[None].to(device) / 32
    views = Shifts(0.25)(ramp.expand(4000, 2, 32, 32), generator(device)) * 32
    assert torch.equal(views, views.round())
    flipped = views[:, 1, 16, 16] > views[:, 1, 16, 17]
    straight = torch.where(flipped[:, None, None, None], views.flip(3), views)
    down = 16 - straight[:, 0, 16, 16]
    right = torch.where(flipped, straight[:, 1, 16, 16] - 16, 16 - straight[:, 1, 16, 16])
    assert set(down.tolist()) == set(right.tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    _, counts = torch.stack([down, right], 1).unique(dim=0, return_counts=True)
    assert len(counts) == 25 and counts.min() > 80
    assert 0.45 < flipped.float().mean() < 0.55


def test_natural_images_are_cropped_or_shifted_and_digits_neither() -> None:
    assert augmentation_for(digits=False, strength=0.3) == NaturalImages(0.3)
    assert augmentation_for(digits=False, strength=0.3, views="shifts") == Shifts(0.3)
    assert augmentation_for(digits=True, strength=0.3, views="shifts") == Digits(0.3)
    with pytest.raises(ValueError, match="views is 'zooms', allowed are crops, shifts"):
        augmentation_for(digits=False, strength=0.3, views="zooms")  # type: ignore[arg-type]

"""Colour against torchvision's adjustments, and hue against a rotation in YIQ."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from trainers.augmentation.colour import adjust_colour
from trainers.torchvision_import import import_torchvision

reference = import_torchvision().transforms.functional
# float32: the same few products in another order. bfloat16: three coefficients, three pixels, one
# constant and the result each rounded to 8 bits, factors up to 1.3.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


def pictures(count: int) -> Tensor:
    """Colours in [0.25, 0.7], so that moderate factors never leave [0, 1]: nothing clamps."""
    return 0.25 + 0.45 * torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def adjust(images: Tensor, **settings: list[float]) -> Tensor:
    """`adjust_colour` with everything that is not named left alone."""
    count, device = len(images), images.device

    def setting(name: str, neutral: float) -> Tensor:
        return torch.tensor(settings.get(name, [neutral] * count), device=device)

    return adjust_colour(
        images,
        brightness=setting("brightness", 1.0),
        contrast=setting("contrast", 1.0),
        saturation=setting("saturation", 1.0),
        hue=setting("hue", 0.0),
        grayscale=setting("grayscale", 0.0) > 0,
    )


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_each_factor_equals_torchvision(device: str, dtype: torch.dtype, name: str) -> None:
    factors = [0.0, 0.6, 1.0, 1.3]
    images = pictures(len(factors)).to(dtype)
    ours = adjust(images.to(device), **{name: factors})
    assert ours.dtype == dtype and ours.is_contiguous()
    for image, factor, view in zip(images, factors, ours.cpu(), strict=True):
        expected = getattr(reference, f"adjust_{name}")(image.float(), factor)
        torch.testing.assert_close(view.float(), expected, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_composition_equals_torchvision_step_by_step(device: str, dtype: torch.dtype) -> None:
    brightness, contrast, saturation = [0.8, 1.2, 1.1], [1.2, 0.7, 1.1], [0.5, 1.3, 1.0]
    images = pictures(3).to(dtype)
    ours = adjust(
        images.to(device),
        brightness=brightness,
        contrast=contrast,
        saturation=saturation,
        grayscale=[0.0, 0.0, 1.0],
    ).cpu()
    for i, image in enumerate(images.float()):
        expected = reference.adjust_brightness(image, brightness[i])
        expected = reference.adjust_contrast(expected, contrast[i])
        expected = reference.adjust_saturation(expected, saturation[i])
        if i == 2:
            expected = reference.rgb_to_grayscale(expected, num_output_channels=3)
        assert expected.min() > 0 and expected.max() < 1  # else torchvision clamped on the way
        torch.testing.assert_close(ours[i].float(), expected, rtol=0, atol=TOLERANCE[dtype])


def test_hue_equals_a_slow_reference_with_the_same_constants(device: str) -> None:
    to_yiq = torch.tensor(
        [[0.2989, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]]
    ).double()
    angle = 2 * math.pi * 0.15
    turn = torch.eye(3).double()
    turn[1:, 1:] = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    image = pictures(1)
    expected = torch.einsum("ij,bjhw->bihw", to_yiq.inverse() @ turn @ to_yiq, image.double())
    ours = adjust(image.to(device), hue=[0.15]).cpu()
    torch.testing.assert_close(ours, expected.clamp(0, 1).float(), rtol=0, atol=1e-5)


def test_the_result_is_clamped_once_at_the_end(device: str) -> None:
    """Brightness 3 leaves [0, 1], contrast 0.2 brings it back; torchvision would cut at 1."""
    images = pictures(1)
    ours = adjust(images.to(device), brightness=[3.0], contrast=[0.2]).cpu()
    mean = reference.rgb_to_grayscale(images).mean()
    expected = (0.2 * 3 * images + 0.8 * 3 * mean).clamp(0, 1)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
    assert adjust(images.to(device), brightness=[3.0]).max() == 1


def test_one_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="images have 1 channels; allowed is 3"):
        adjust(torch.zeros(2, 1, 4, 4))

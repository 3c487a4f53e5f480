"""The reconstruction's loss against slow references and closed forms."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from tests.trainers.small import check_slopes, pictures
from trainers.reconstruction import CELL, FLOOR, PixelError, ReconstructionLoss, edge_strengths

KINDS: tuple[PixelError, ...] = ("l1", "l2", "mixed")


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_against_numpy(kind: PixelError) -> None:
    random = np.random.default_rng(0)
    output, target = random.random((2, 3, 2, 5, 5))
    absolute = np.abs(output - target).mean()
    squared = 4 * ((output - target) ** 2).mean()
    expected = {"l1": absolute, "l2": squared, "mixed": absolute + squared}[kind]
    loss = ReconstructionLoss(kind=kind)(torch.from_numpy(output), torch.from_numpy(target))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0, 3.0])
def test_a_squared_error_is_that_of_brightness_and_of_colour(weight: float) -> None:
    random = np.random.default_rng(0)
    output, target = random.random((2, 4, 3, 5, 5))
    error = output - target
    brightness = error.mean(1, keepdims=True)
    expected = 4 * (weight * brightness**2 + (error - brightness) ** 2).mean()
    loss = ReconstructionLoss(kind="l2", brightness_weight=weight)
    found = loss(torch.from_numpy(output), torch.from_numpy(target))
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_weight_of_brightness_leaves_colour_alone(kind: PixelError) -> None:
    target = pictures(2, side=8)
    brighter, redder = target + 0.1, target + torch.tensor([0.2, -0.1, -0.1]).view(3, 1, 1)
    blind, plain = ReconstructionLoss(kind=kind, brightness_weight=0), ReconstructionLoss(kind=kind)
    assert blind(brighter, target).item() < 1e-6 < plain(brighter, target).item()
    torch.testing.assert_close(blind(redder, target), plain(redder, target))


def slow_edge_strengths(image: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (4, rows, columns), pixel by pixel from the docstring."""
    gray = np.pad(image.mean(0), 1, mode="edge")
    rows, columns = image.shape[1:]
    cells: dict[tuple[int, int, int], list[float]] = {}
    for y in range(rows):
        for x in range(columns):
            across = (gray[y + 1, x + 2] - gray[y + 1, x]) / 2
            down = (gray[y + 2, x + 1] - gray[y, x + 1]) / 2
            for k, angle in enumerate((0, 45, 90, 135)):
                slope = across * math.cos(math.radians(angle)) + down * math.sin(
                    math.radians(angle)
                )
                cell = (k, y // CELL, x // CELL)
                cells.setdefault(cell, []).append(math.sqrt(slope**2 + FLOOR))
    found = np.zeros((4, -(-rows // CELL), -(-columns // CELL)))
    for place, values in cells.items():
        found[place] = np.mean(values)
    return found


@pytest.mark.parametrize(("channels", "side"), [(3, 8), (1, 12), (3, 10)])
def test_edge_strengths_against_a_slow_reference(channels: int, side: int) -> None:
    images = pictures(2, channels, side)
    expected = np.stack([slow_edge_strengths(image) for image in images.double().numpy()])
    np.testing.assert_allclose(edge_strengths(images).numpy(), expected, atol=1e-5)


def test_texture_is_how_much_edge_and_not_where() -> None:
    """Stripes two pixels on, their negative: every pixel is wrong and no edge strength is."""
    stripes = torch.zeros(1, 3, 16, 16)
    stripes[..., 0::4] = stripes[..., 1::4] = 1.0
    negative = 1 - stripes
    pixels = ReconstructionLoss(kind="l2")
    texture = ReconstructionLoss(kind="l2", texture_weight=5.0)
    gray = torch.full_like(stripes, 0.5)
    assert pixels(negative, stripes).item() == pytest.approx(4.0)
    assert texture(negative, stripes).item() == pytest.approx(4.0, rel=1e-4)
    assert texture(gray, stripes).item() > pixels(gray, stripes).item() + 0.1


def test_the_texture_weight_is_a_factor() -> None:
    output, target = pictures(2, side=8), pictures(2, side=8, seed=1)
    losses = [ReconstructionLoss(kind="l1", texture_weight=w)(output, target) for w in (0, 1, 3)]
    assert losses[1] > losses[0]
    torch.testing.assert_close(losses[2] - losses[0], 3 * (losses[1] - losses[0]))
    edges = 4 * (edge_strengths(output) - edge_strengths(target)).square().mean()
    torch.testing.assert_close(losses[1] - losses[0], edges)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_float32_under_bfloat16(kind: PixelError) -> None:
    output, target = pictures(2, side=8).bfloat16(), pictures(2, side=8, seed=1).bfloat16()
    loss = ReconstructionLoss(kind=kind, brightness_weight=0.3, texture_weight=2.0)
    exact = loss(output.float(), target.float())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(output, target)
    assert mixed.dtype == torch.float32 and mixed.shape == ()
    torch.testing.assert_close(mixed, exact)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_against_finite_differences(kind: PixelError) -> None:
    loss = ReconstructionLoss(kind=kind, brightness_weight=0.3, texture_weight=2.0)
    target = pictures(2, side=8, seed=1)
    check_slopes(lambda output: loss(output, target), pictures(2, side=8))


def test_gradients_of_flat_images_are_finite() -> None:
    flat = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    ReconstructionLoss(texture_weight=1.0)(flat, pictures(1, side=8)).backward()
    assert flat.grad is not None and flat.grad.isfinite().all()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"kind": "ssim"}, "kind is 'ssim', allowed are l1, l2, mixed"),
        ({"brightness_weight": -0.1}, "brightness_weight is -0.1, it must be 0 or more"),
        ({"brightness_weight": math.nan}, "brightness_weight is nan, it must be 0 or more"),
        ({"texture_weight": math.inf}, "texture_weight is inf, it must be 0 or more"),
        ({"texture_weight": -1.0}, "texture_weight is -1.0, it must be 0 or more"),
    ],
    ids=str,
)
def test_bad_values_are_refused(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ReconstructionLoss(**bad)

"""Geometry against torchvision's own operators: same box or same map, same picture."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.trainers.small import drawing, pictures
from trainers.augmentation.geometry import affine, resized_crop, shift
from trainers.torchvision_import import import_torchvision

reference = import_torchvision().transforms.functional

# Crop: the same sums in another order, and positions rounded at 1e-6 pixel, in float32.
# bfloat16 keeps 8 bits: one rounding of the input's neighbours, one of the intermediate, one of the
# result, and positions on a grid of 1/256 pixel.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1.2e-2}
BOXES: list[tuple[float, ...]] = [
    (0, 0, 32, 32),
    (3, 5, 20, 11),
    (31, 31, 1, 1),
    (0, 12, 32, 7),
    (9, 0, 4, 32),
]


def columns(values: Sequence[tuple[float, ...]], device: str) -> list[Tensor]:
    return [torch.tensor(column, device=device) for column in zip(*values, strict=True)]


def crop(images: Tensor, boxes: Sequence[tuple[float, ...]], flip: list[bool]) -> Tensor:
    """`resized_crop` with one (top, left, height, width) for each image."""
    top, left, height, width = columns(boxes, str(images.device))
    return resized_crop(images, top, left, height, width, torch.tensor(flip, device=images.device))


@pytest.mark.parametrize(
    ("size", "boxes"), [((32, 32), BOXES), ((20, 36), [(4, 10, 13, 25)])], ids=["square", "oblong"]
)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_resized_crop_equals_torchvision(
    device: str, dtype: torch.dtype, size: tuple[int, int], boxes: list[tuple[float, ...]]
) -> None:
    images = torch.rand(2 * len(boxes), 3, *size, generator=drawing(0)).to(dtype)
    flip = torch.tensor([False, True]).repeat_interleave(len(boxes))
    ours = crop(images.to(device), boxes * 2, flip.tolist())
    assert ours.dtype == dtype and ours.is_contiguous()
    for image, box, mirrored, view in zip(images, boxes * 2, flip, ours.cpu(), strict=True):
        expected = reference.resized_crop(image.float(), *box, size=[*size], antialias=True)
        expected = reference.hflip(expected) if mirrored else expected
        torch.testing.assert_close(view.float(), expected, rtol=0, atol=TOLERANCE[dtype])


def test_a_fractional_box_shifts_a_ramp_by_the_fraction(device: str) -> None:
    ramp = torch.arange(32.0).expand(1, 1, 32, 32) / 32
    ours = crop(ramp.to(device), [(0.0, 2.25, 32.0, 16.0)], [False])
    centres = (2.25 + (torch.arange(32) + 0.5) / 2 - 0.5).clamp(2.25, 17.25)
    torch.testing.assert_close(ours[0, 0, 7].cpu(), centres / 32, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_the_whole_image_comes_back_bit_for_bit(device: str, dtype: torch.dtype) -> None:
    images = pictures(2).to(device, dtype)
    ours = crop(images, [(0.0, 0.0, 32.0, 32.0)] * 2, [False, True])
    assert torch.equal(ours[0], images[0])
    assert torch.equal(ours[1], images[1].flip(-1))


def test_a_flat_image_stays_exactly_flat_in_bfloat16(device: str) -> None:
    """The weights of both neighbours are exact in bfloat16, so no ripple and nothing above 1."""
    images = torch.ones(64, 3, 32, 32, dtype=torch.bfloat16, device=device)
    draw = torch.rand(3, 64, generator=drawing(0)).to(device)
    side = 8 + 20 * draw[0]
    ours = resized_crop(
        images, draw[1] * (32 - side), draw[2] * (32 - side), side, side, flip=draw[1] < 0.5
    )
    assert torch.equal(ours, images)


@pytest.mark.parametrize("shape", [(28, 28), (20, 36)])
def test_affine_equals_torchvision(device: str, shape: tuple[int, int]) -> None:
    maps = [  # angle, shift x, shift y, scale, shear
        (0.0, 0.0, 0.0, 1.0, 0.0),
        (25.0, 0.0, 0.0, 1.0, 0.0),
        (-100.0, 0.0, 0.0, 1.0, 0.0),
        (0.0, 3.0, -2.0, 1.0, 0.0),
        (0.0, 0.0, 0.0, 1.25, 0.0),
        (0.0, 0.0, 0.0, 0.8, 10.0),
        (17.0, -4.0, 1.0, 0.9, -8.0),
    ]
    images = torch.rand(len(maps), 1, *shape, generator=drawing(0))
    ours = affine(images.to(device), *columns(maps, device)).cpu()
    for image, (angle, x, y, scale, shear), view in zip(images, maps, ours, strict=True):
        expected = reference.affine(
            image[None],
            angle=angle,
            translate=[int(x), int(y)],
            scale=scale,
            shear=[shear, 0.0],
            interpolation=reference.InterpolationMode.BILINEAR,
        )[0]
        # Positions near 30 carry 4e-6 in float32, and a pixel may differ from its neighbour by 1.
        torch.testing.assert_close(view, expected, rtol=0, atol=5e-5)


def test_affine_in_bfloat16_is_float32_rounded_once(device: str) -> None:
    images = pictures(4, 1, 28).to(device, torch.bfloat16)
    angle = torch.tensor([5.0, -20.0, 11.0, 0.0], device=device)
    zero, one = torch.zeros(4, device=device), torch.ones(4, device=device)
    ours = affine(images, angle, zero, zero, one)
    exact = affine(images.float(), angle, zero, zero, one)
    assert ours.dtype == torch.bfloat16
    assert torch.equal(ours, exact.bfloat16())


@pytest.mark.parametrize(
    "images", [torch.zeros(3, 8, 8), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)]
)
def test_wrong_images_are_named(images: Tensor) -> None:
    one = torch.ones(1)
    with pytest.raises(ValueError, match="allowed is a floating-point"):
        resized_crop(images, one, one, one, one, one > 0)
    with pytest.raises(ValueError, match="allowed is a floating-point"):
        affine(images, one, one, one, one)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(28, 28), (9, 5)])
def test_a_shift_is_a_reflected_border_and_a_crop(
    dtype: torch.dtype, size: tuple[int, int]
) -> None:
    """To the last bit, by torch's own padding."""
    reach = min(size) - 1
    images = torch.rand(40, 3, *size, generator=drawing(0)).to(dtype)
    draws = torch.randint(-reach, reach + 1, (2, 40), generator=drawing(1))
    down, right = draws
    flip = torch.arange(40) % 2 == 1
    views = shift(images, down, right, flip)
    assert views.dtype == dtype and views.is_contiguous()
    for image, by_y, by_x, mirrored, view in zip(images, down, right, flip, views, strict=True):
        turned = image.flip(2) if mirrored else image
        padded = functional.pad(turned.float()[None], (reach,) * 4, mode="reflect")[0].to(dtype)
        top, left = reach - int(by_y), reach - int(by_x)
        assert torch.equal(view, padded[:, top : top + size[0], left : left + size[1]])

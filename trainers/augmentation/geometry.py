"""Where the pixels go: resized crop and shift with flip, and affine maps, one per image of a batch.

A bilinear resize is linear and separable, so a crop, a resize and a flip together are two matrix
products per image, `Wy @ image @ Wxᵀ`. On a CPU, and in bfloat16 above all, that is faster than
gathering pixels. A rotation is not separable; `affine` gathers them with `grid_sample`.

Positions are computed in float32 whatever the images' type: a bfloat16 coordinate near 30 is only
good to an eighth of a pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.augmentation.checks import require_images


def resized_crop(
    images: Tensor, top: Tensor, left: Tensor, height: Tensor, width: Tensor, flip: Tensor
) -> Tensor:
    """Cut one box out of each image, stretch it to the whole image, mirror it where `flip` says so.

    Equals a crop followed by a bilinear resize (`align_corners=False`): nothing outside the box is
    read. A box inside the image is only ever enlarged, so antialiasing would change nothing.

    Args:
        images: (B, C, H, W), floating point.
        top, left: (B,) the box's upper left corner in pixels, fractions allowed.
        height, width: (B,) the box's sides in pixels, at least 1; the box must lie inside the
            image. Values are not checked, since reading them would make the program wait for the
            device.
        flip: (B,) bool, True mirrors left and right.

    Returns:
        (B, C, H, W) of the same type, contiguous. Every pixel is a weighted mean of the image's
        own; in float32 rounding may carry it past their range by 1e-6.

    Raises:
        ValueError: `images` is not a floating-point tensor of four dimensions.
    """
    require_images(images)
    rows, columns = images.shape[2:]
    y = _source_positions(top, height, rows, images.dtype)
    x = _source_positions(left, width, columns, images.dtype)
    return _read(images, y, torch.where(flip[:, None], x.flip(1), x))


def shift(images: Tensor, down: Tensor, right: Tensor, flip: Tensor) -> Tensor:
    """Move each image, its edges reflected into what becomes free, mirrored first where `flip`.

    Equals padding by reflection (the edge itself is not repeated) and a crop of the old size.

    Args:
        images: (B, C, H, W), floating point.
        down, right: (B,) whole pixels, less than the image's side in size.
        flip: (B,) bool, True mirrors left and right.

    Returns:
        (B, C, H, W) of the same type, contiguous, with the image's own pixels and no others.

    Raises:
        ValueError: `images` is not a floating-point tensor of four dimensions.
    """
    require_images(images)
    rows, columns = images.shape[2:]
    y = _reflected_positions(down, rows)
    x = _reflected_positions(right, columns)
    return _read(images, y, torch.where(flip[:, None], columns - 1 - x, x))


def affine(
    images: Tensor,
    angle: Tensor,
    shift_x: Tensor,
    shift_y: Tensor,
    scale: Tensor,
    shear: Tensor | None = None,
) -> Tensor:
    """Shear, turn and scale each image about its centre, then shift it; outside is black (0).

    The convention is that of `torchvision.transforms.functional.affine`.

    Args:
        images: (B, C, H, W), floating point.
        angle: (B,) degrees, clockwise.
        shift_x, shift_y: (B,) pixels, to the right and down.
        scale: (B,) above 0; above 1 enlarges.
        shear: (B,) degrees along x, between -90 and 90; None for none.

    Returns:
        (B, C, H, W) of the same type, contiguous.

    Raises:
        ValueError: `images` is not a floating-point tensor of four dimensions.
    """
    require_images(images)
    _, _, rows, columns = images.shape
    turn = torch.deg2rad(angle.float())
    cos, sin = torch.cos(turn), torch.sin(turn)
    slant = torch.zeros_like(turn) if shear is None else torch.tan(torch.deg2rad(shear.float()))
    # Forward, on (x, y) with y down: rotation @ [[1, -slant], [0, 1]] * scale. Without the scale
    # its determinant is 1, so the inverse is the adjugate over the scale. Its two columns, in
    # grid_sample's units, in which both axes of the source run from -1 to 1:
    from_x = torch.stack([(cos - sin * slant) * (2 / columns), -sin * (2 / rows)], dim=1)
    from_y = torch.stack([(sin + cos * slant) * (2 / columns), cos * (2 / rows)], dim=1)
    x = (_centred(columns, images.device) - shift_x[:, None]) / scale[:, None]
    y = (_centred(rows, images.device) - shift_y[:, None]) / scale[:, None]
    # One sum of a (B, 2, 1, W) and a (B, 2, H, 1) is the whole grid, some twenty times faster on a
    # CPU than F.affine_grid, which multiplies by a matrix of three columns.
    along = from_x[:, :, None, None] * x[:, None, None, :]
    down = from_y[:, :, None, None] * y[:, None, :, None]
    grid = (along + down).permute(0, 2, 3, 1)
    with torch.autocast(images.device.type, enabled=False):
        # grid_sample wants one type for both; a bfloat16 grid would shift pixels by a twentieth.
        moved = F.grid_sample(
            images.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )
    return moved.to(images.dtype)


def _centred(size: int, device: torch.device) -> Tensor:
    """(size,): the pixels' centres along one axis, in pixels from the image's centre."""
    return torch.arange(size, device=device, dtype=torch.float32) - (size - 1) / 2


def _read(images: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """(B, C, H, W) at the rows `y` (B, H) and columns `x` (B, W), between pixels a mean of both."""
    batch, channels, rows, columns = images.shape
    # Autocast would run float32 products in bfloat16 and change the type of what comes out.
    with torch.autocast(images.device.type, enabled=False):
        across = torch.bmm(
            images.reshape(batch, channels * rows, columns),
            _bilinear_weights(x, columns, images.dtype).transpose(1, 2),
        )
        down = _bilinear_weights(y, rows, images.dtype)
        return torch.matmul(down[:, None], across.view(batch, channels, rows, columns))


def _reflected_positions(by: Tensor, size: int) -> Tensor:
    """(B, size): which source pixel along one axis each output pixel of a moved image shows."""
    positions = torch.arange(size, device=by.device, dtype=torch.float32) - by.float()[:, None]
    return (size - 1) - ((size - 1) - positions.abs()).abs()


def _source_positions(start: Tensor, length: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """(B, size): where along the source axis, in pixels, each output pixel's centre lies."""
    start, length = start.float()[:, None], length.float()[:, None]
    centres = torch.arange(size, device=start.device, dtype=torch.float32) + 0.5
    positions = start + centres * (length / size) - 0.5
    # Within half a pixel of the box's edge there is one neighbour only: the edge pixel is repeated.
    positions = positions.maximum(start).minimum(start + length - 1)
    if dtype != torch.float32:
        # On a grid of 1/256 pixel both neighbours' weights are exact in bfloat16 and sum to exactly
        # 1, so a flat surface stays flat; rounding each weight alone would make it ripple by 1/256.
        positions = positions.mul_(256).round_().div_(256)
    return positions


def _bilinear_weights(positions: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """(B, outputs, size): each source pixel's weight in each output; a row sums to 1."""
    pixels = torch.arange(size, device=positions.device, dtype=torch.float32)
    distance = (positions[:, :, None] - pixels).abs_()
    return distance.neg_().add_(1).clamp_(min=0).to(dtype)

"""New colours: five adjustments composed into one 3 x 4 affine map per image.

Brightness, contrast, saturation, hue and grayscale, in this order, are each affine in a pixel's (R,
G, B). Their product is worked out first, on one small matrix per image, and the pixels are read and
written once.

Two things differ from applying torchvision's functions one after another:

- torchvision clamps to [0, 1] after each step, this module clamps once at the end. Where no step
  leaves [0, 1] the two agree.
- Hue here is a rotation of the chroma plane in YIQ, which is linear. torchvision turns the angle in
  HSV, which is not linear. Both leave grays alone and return after a full turn; between, the
  colours differ, and this module keeps a pixel's gray value where HSV does not.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from trainers.augmentation.checks import require_images

GRAY_WEIGHTS = (0.2989, 0.587, 0.114)  # torchvision's, of ITU-R BT.601


def adjust_colour(
    images: Tensor,
    *,
    brightness: Tensor,
    contrast: Tensor,
    saturation: Tensor,
    hue: Tensor,
    grayscale: Tensor,
) -> Tensor:
    """Brightness, contrast, saturation, hue, then grayscale, each with one setting per image.

    Args:
        images: (B, 3, H, W) in [0, 1], floating point.
        brightness, contrast, saturation: (B,) factors, 0 or more; 1 changes nothing. As in
            torchvision: they mix the image with black, with its mean gray and with its own grays.
        hue: (B,) turns of the chroma plane, 1 being the full circle; 0 changes nothing.
        grayscale: (B,) bool, True drops the colour.

    Returns:
        (B, 3, H, W) of the same type in [0, 1], contiguous.

    Raises:
        ValueError: `images` is not a floating-point (B, 3, H, W).
    """
    require_images(images, channels=3)
    batch, channels, rows, columns = images.shape
    with torch.autocast(images.device.type, enabled=False):
        colour_map = compose_colour_map(
            images.mean((2, 3), dtype=torch.float32),
            brightness=brightness,
            contrast=contrast,
            saturation=saturation,
            hue=hue,
            grayscale=grayscale,
        ).to(images.dtype)
        pixels = images.reshape(batch, channels, rows * columns)
        mixed = torch.baddbmm(colour_map[:, :, 3:], colour_map[:, :, :3], pixels)
    return mixed.clamp_(0, 1).view(batch, channels, rows, columns)


def compose_colour_map(
    mean: Tensor,
    *,
    brightness: Tensor,
    contrast: Tensor,
    saturation: Tensor,
    hue: Tensor,
    grayscale: Tensor,
) -> Tensor:
    """The five adjustments as one map (B, 3, 4): three columns multiply (R, G, B), one is added.

    Args:
        mean: (B, 3) float32, each image's mean colour before any change. Contrast needs the mean
            gray of the brightened image, which is that of the image times the brightness.
        brightness, contrast, saturation, hue, grayscale: (B,) as in `adjust_colour`.
    """
    identity, gray, chroma, quarter_turn = _basis(mean.device)
    # Brightness then contrast: a factor, and a gray offset that is the same on all three channels.
    factor = brightness * contrast
    offset = (mean * gray[0]).sum(1) * brightness * (1 - contrast)

    amount = saturation[:, None, None]
    matrix = amount * identity + (1 - amount) * gray
    angle = (2 * math.pi * hue)[:, None, None]
    # chroma is the identity minus its gray part: the gray part stays, the rest turns.
    turn = (identity - chroma) + torch.cos(angle) * chroma + torch.sin(angle) * quarter_turn
    matrix = turn @ matrix
    matrix = torch.where(grayscale[:, None, None], gray @ matrix, matrix)

    constant = matrix.sum(2) * offset[:, None]  # matrix @ (offset, offset, offset)
    return torch.cat([matrix * factor[:, None, None], constant[:, :, None]], dim=2)


@functools.cache
def _basis(device: torch.device) -> Tensor:
    """(4, 3, 3) float32: identity, grayscale, projection on the chroma plane, quarter turn in it.

    Kept per device, because building a tensor from Python numbers makes the program wait for a GPU.
    """
    with torch.inference_mode(False):
        gray_row = torch.tensor(GRAY_WEIGHTS, dtype=torch.float64)
        # NTSC's YIQ. Rows I and Q sum to 0, so gray has no chroma; row Y is the gray used
        # everywhere here.
        yiq = torch.stack(
            [
                gray_row,
                torch.tensor([0.5959, -0.2746, -0.3213], dtype=torch.float64),
                torch.tensor([0.2115, -0.5227, 0.3112], dtype=torch.float64),
            ]
        )
        to_rgb = torch.linalg.inv(yiq)
        chroma = to_rgb[:, 1:] @ yiq[1:]
        quarter_turn = to_rgb[:, 1:] @ torch.tensor([[0.0, -1.0], [1.0, 0.0]]).double() @ yiq[1:]
        identity = torch.eye(3, dtype=torch.float64)
        basis = torch.stack([identity, gray_row.expand(3, 3), chroma, quarter_turn])
        return basis.to(device, torch.float32)

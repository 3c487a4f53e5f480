"""How far a reconstruction is from its image: pixels, brightness against colour, edges.

B batch, C H W image, O orientations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

PixelError = Literal["l1", "l2", "mixed"]

SQUARED = 4.0  # an error of 1/4, about the spread of natural pixels, weighs as its absolute value
ORIENTATIONS = 4
CELL = 4  # pixels
FLOOR = 1e-5  # added to a squared slope, so that the root's own slope stays finite


@dataclass(frozen=True, kw_only=True)
class ReconstructionLoss:
    """Mean loss of (B, C, H, W) images in [0, 1], computed in float32; 0 for a perfect copy.

    A small latent cannot hold all pixels, and what it drops is for the loss to say. Squared errors
    alone drop fine texture first, since a texture that is off by a pixel costs more than none, and
    with it much of what tells one class from another.

    Attributes:
        kind: of the pixels' errors. `l1`: absolute, whose mean is the report's MAE. `l2`: squared,
            times 4. `mixed`: the sum of both.
        brightness_weight: a pixel's squared error is that of its brightness (the mean of its
            channels) and that of its colour (what is left), summed. This weighs the former; at
            1 the loss is the plain one. Most of the variance of natural pictures is brightness, so
            that below 1 a small latent keeps more colour. Gray images are all brightness: their
            loss is only scaled.
        texture_weight: of the squared errors, times 4, of `edge_strengths`, which say how much
            edge of each direction there is about a place and not where exactly.

    Raises:
        ValueError: an unknown kind, or a weight that is negative or not finite.
    """

    kind: PixelError = "l1"
    brightness_weight: float = 1.0
    texture_weight: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(PixelError):
            raise ValueError(
                f"kind is {self.kind!r}, allowed are {', '.join(get_args(PixelError))}"
            )
        for name in ("brightness_weight", "texture_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be 0 or more")

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Two (B, C, H, W) -> scalar."""
        output, target = output.float(), target.float()
        error = output - target
        if self.brightness_weight != 1:
            brightness = error.mean(1, keepdim=True)
            error = error - (1 - math.sqrt(self.brightness_weight)) * brightness
        loss = error.new_zeros(())
        if self.kind in ("l1", "mixed"):
            loss = loss + error.abs().mean()
        if self.kind in ("l2", "mixed"):
            loss = loss + SQUARED * error.square().mean()
        if self.texture_weight:
            edges = F.mse_loss(edge_strengths(output), edge_strengths(target))
            loss = loss + self.texture_weight * SQUARED * edges
        return loss


def edge_strengths(images: Tensor) -> Tensor:
    """(B, C, H, W) float32 -> (B, O, H / 4, W / 4): mean strength of edges by direction and cell.

    The slopes of the brightness along four directions, without their signs, averaged over cells of
    4 x 4 pixels: the oriented gradients of Dalal and Triggs (2005, "Histograms of Oriented
    Gradients for Human Detection") without their votes and blocks, or scattering coefficients of
    the first order (Bruna and Mallat, 2013) with the shortest of filters. Fixed: nothing in it is
    learned.
    """
    padded = F.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    angles = math.pi / ORIENTATIONS * torch.arange(ORIENTATIONS, device=images.device)
    angles = angles.view(1, -1, 1, 1)
    slopes = angles.cos() * across + angles.sin() * down
    return F.avg_pool2d((slopes.square() + FLOOR).sqrt(), CELL, ceil_mode=True)

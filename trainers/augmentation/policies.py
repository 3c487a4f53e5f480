"""Which changes to draw for which images, all scaled by one strength in [0, 1].

    view = NaturalImages(0.5)(images, generator)

One number per policy keeps the search space small: `augment_strength` is one hyperparameter.
Strength 0 is exactly no augmentation: the images themselves come back and nothing is drawn from the
generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from trainers.augmentation.checks import require_images
from trainers.augmentation.colour import adjust_colour
from trainers.augmentation.geometry import affine, resized_crop, shift


class Augmentation(Protocol):
    """A random view of every image of a batch."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images (B, C, H, W) in [0, 1] and a generator on their device; returns such images."""
        ...


Views = Literal["crops", "shifts"]


def augmentation_for(
    *, digits: bool, strength: float, views: Views = "crops", flips: bool = True
) -> Augmentation:
    """`Digits` for glyphs, else `NaturalImages` or `Shifts`, which mirror if `flips`."""
    if views not in get_args(Views):
        raise ValueError(f"views is {views!r}, allowed are {', '.join(get_args(Views))}")
    if digits:
        return Digits(strength)
    return (Shifts if views == "shifts" else NaturalImages)(strength, flips)


@dataclass(frozen=True)
class _Policy:
    """Views of images at a strength in [0, 1]; at 0 the images as they are."""

    strength: float

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:  # NaN compares false and lands here too
            raise ValueError(f"strength is {self.strength}; allowed is a number in [0, 1]")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Images (B, C, H, W) in [0, 1] and a generator on their device; returns such images.

        Raises ValueError where `images` is not a floating-point tensor of four dimensions.
        """
        require_images(images)
        return self._views(images, generator) if self.strength else images

    def _views(self, images: Tensor, generator: torch.Generator) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class NaturalImages(_Policy):
    """Resized crop and flip; with three channels also colour jitter and grayscale.

    At strength 1 jitter and grayscale are SimCLR's (Chen et al., "A Simple Framework for
    Contrastive Learning of Visual Representations", 2020, appendix A, "color distortion" with
    strength 1), but in a fixed order and with hue turning in YIQ (see `colour.py`), and the crop
    goes down to its 8 % of the area. The crop grows faster than the colour changes: at strength
    0.5 both are what is usual for CIFAR-10 (area from 0.31, jitter 0.4).

    | drawn | range at strength s |
    |---|---|
    | area of the box, part of the image's | uniform in [0.08 + 0.92 (1 - s)², 1] |
    | aspect ratio, relative to the image's | log-uniform in [3/4, 4/3] ** s, as far as it fits |
    | place of the box | uniform inside the image |
    | mirror | with probability min(0.5, 2 s), where images may be mirrored |
    | brightness, contrast, saturation | uniform in 1 ± 0.8 s |
    | hue | uniform in ± 0.2 s turns |
    | grayscale | with probability min(0.2, 0.4 s) |

    The four colour changes are drawn for 80 % of the images; grayscale is a draw of its own.
    """

    flips: bool = True

    def _views(self, images: Tensor, generator: torch.Generator) -> Tensor:
        batch, channels, rows, columns = images.shape
        draws = torch.rand(11, batch, generator=generator, device=images.device).unbind()
        box = self.draw_boxes(*draws[:4], rows=rows, columns=columns)
        views = resized_crop(images, *box, flip=draws[4] < _mirrored(self))
        if channels != 3:
            return views.clamp_(0, 1)
        jittered = draws[5] < 0.8
        spread = 0.8 * self.strength
        brightness, contrast, saturation = (
            torch.where(jittered, 1 + spread * _signed(draw), 1.0) for draw in draws[6:9]
        )
        return adjust_colour(
            views,
            brightness=brightness,
            contrast=contrast,
            saturation=saturation,
            hue=torch.where(jittered, 0.2 * self.strength * _signed(draws[9]), 0.0),
            grayscale=draws[10] < min(0.2, 0.4 * self.strength),
        )

    def draw_boxes(
        self, area: Tensor, ratio: Tensor, top: Tensor, left: Tensor, *, rows: int, columns: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Boxes inside a (rows, columns) image from four draws (B,), each uniform in [0, 1).

        Returns top, left, height and width, each (B,) in pixels.
        """
        part = 1 - 0.92 * (1 - (1 - self.strength) ** 2) * area
        # A box of this part of the area fits while its ratio lies in [part, 1 / part]. Drawing
        # within what fits keeps the area as drawn; cutting the box off afterwards would not.
        limit = (-torch.log(part)).clamp_(max=self.strength * math.log(4 / 3))
        stretch = torch.exp(0.5 * limit * _signed(ratio))
        side = torch.sqrt(part)
        # A box is at least one pixel and, against rounding, never larger than the image.
        height = (rows * side / stretch).clamp_(1, rows)
        width = (columns * side * stretch).clamp_(1, columns)
        return top * (rows - height), left * (columns - width), height, width


@dataclass(frozen=True)
class Shifts(_Policy):
    """Shift by whole pixels and flip: what is usual where classes are learned from labels.

    Nothing is rescaled or recoloured, so that no detail is lost: in short trainings with labels
    this is ahead of `NaturalImages`. The edges are reflected into what becomes free.

    | drawn | range at strength s |
    |---|---|
    | shift on each axis | whole pixels, uniform up to ± s quarters of the image's side |
    | mirror | with probability min(0.5, 2 s), where images may be mirrored |
    """

    flips: bool = True

    def _views(self, images: Tensor, generator: torch.Generator) -> Tensor:
        batch, _, rows, columns = images.shape
        draws = torch.rand(3, batch, generator=generator, device=images.device)
        down, right = (
            torch.floor((2 * reach + 1) * draw) - reach
            for draw, reach in zip(draws, map(self.reach, (rows, columns)), strict=False)
        )
        return shift(images, down, right, flip=draws[2] < _mirrored(self))

    def reach(self, side: int) -> int:
        """The largest shift in pixels."""
        return round(self.strength * side / 4)


@dataclass(frozen=True)
class Digits(_Policy):
    """Small rotation, shear, shift and scale: what handwriting varies. No flip, no colour.

    | drawn | uniform range at strength s |
    |---|---|
    | rotation | ± 25 s degrees |
    | shear along x | ± 10 s degrees |
    | shift on each axis | ± 0.15 s of the image's side |
    | logarithm of the scale | ± s log 1.25, that is [0.8, 1.25] ** s |
    """

    def _views(self, images: Tensor, generator: torch.Generator) -> Tensor:
        batch, _, rows, columns = images.shape
        draws = torch.rand(5, batch, generator=generator, device=images.device)
        angle, shear, shift_x, shift_y, scale = (self.strength * _signed(draws)).unbind()
        return affine(
            images,
            angle=25 * angle,
            shift_x=0.15 * columns * shift_x,
            shift_y=0.15 * rows * shift_y,
            scale=torch.exp(math.log(1.25) * scale),
            shear=10 * shear,
        ).clamp_(0, 1)


def _mirrored(policy: NaturalImages | Shifts) -> float:
    """The probability that an image is mirrored."""
    return min(0.5, 2 * policy.strength) * policy.flips


def _signed(draw: Tensor) -> Tensor:
    """From uniform in [0, 1) to uniform in [-1, 1)."""
    return 2 * draw - 1

"""Masked autoencoder: reconstruct the whole image where the encoder sees only parts of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainers.methods.autoencoder import Autoencoder

PATCH = 4  # pixels, the side of a hidden square


class MaskedAutoencoder(Autoencoder):
    """Squares of a view are hidden from the encoder; out must come the view without gaps.

    He et al. (2022, "Masked Autoencoders Are Scalable Vision Learners") with convolutions in place
    of a transformer, which can leave hidden squares out: this encoder sees gray there. It meets
    whole images when it is measured, so that an image's share of hidden squares is drawn.

    Args:
        mask_ratio: the largest share of hidden squares, in [0, 1).
        parts: as of an `Autoencoder`; the loss is of all pixels, hidden or not.
    """

    def __init__(self, *, mask_ratio: float, **parts: Any) -> None:
        super().__init__(**parts)
        if not 0 <= mask_ratio < 1:
            raise ValueError(f"mask_ratio is {mask_ratio}, it must be at least 0 and below 1")
        self.mask_ratio = mask_ratio

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) -> scalar; labels are not looked at."""
        view = self.augmentation(images, generator)
        seen = hide_squares(view, self.mask_ratio, generator)
        return self.reconstruction_loss(self.decoder(self.encoder(seen)), view)


def hide_squares(images: Tensor, ratio: float, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) -> the same with squares in the image's mean colour.

    Every image has a share of its own, uniform up to `ratio`.
    """
    batch, _, rows, columns = images.shape
    grid = -(-rows // PATCH), -(-columns // PATCH)
    draws = torch.rand(batch, 1 + grid[0] * grid[1], generator=generator, device=images.device)
    hidden = (draws[:, 1:] < ratio * draws[:, :1]).view(batch, 1, *grid)
    mask = hidden.repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)[:, :, :rows, :columns]
    return torch.where(mask, images.mean((2, 3), keepdim=True), images)

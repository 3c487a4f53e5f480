"""Aligned autoencoder: two changed views of an image become it, and their latents agree."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from trainers.losses import align_uniform, barlow_twins
from trainers.methods.masked import MaskedAutoencoder, hide_squares

Agreement = Literal["barlow_twins", "align_uniform"]
AGREEMENTS = {"barlow_twins": barlow_twins, "align_uniform": align_uniform}


class AlignedAutoencoder(MaskedAutoencoder):
    """Two views of an image go in; out of either must come the image that they were made of.

    Vincent et al. (2008, "Extracting and Composing Robust Features with Denoising Autoencoders")
    with the corruptions of our time: a view is cropped and recoloured, and squares of it may be
    hidden. To undo that, the latent has to know what the image shows, where pixels alone do not
    tell.

    The latents of the two views must agree besides: what the views have in common is kept. So that
    not all latents become alike, Barlow Twins (Zbontar et al., 2021) asks that no two numbers say
    the same, alignment and uniformity (Wang and Isola, 2020) that images lie evenly about. Neither
    takes labels.

    Args:
        agreement: the loss between the latents of two views.
        agreement_weight: of that loss, 0 or more.
        parts: as of a `MaskedAutoencoder`; the image that must come out stays as it is.
    """

    def __init__(self, *, agreement: Agreement, agreement_weight: float, **parts: Any) -> None:
        super().__init__(**parts)
        if agreement not in AGREEMENTS:
            raise ValueError(f"agreement is {agreement!r}; allowed: {', '.join(AGREEMENTS)}")
        if not 0 <= agreement_weight < math.inf:
            raise ValueError(f"agreement_weight is {agreement_weight}, it must be 0 or more")
        self.agreement: Agreement = agreement
        self.agreement_weight = agreement_weight

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) -> scalar; labels are not looked at."""
        images = torch.cat([images, images])
        views = self.augmentation(images, generator)
        if self.mask_ratio:
            views = hide_squares(views, self.mask_ratio, generator)
        latents = self.encoder(views)
        agreement = AGREEMENTS[self.agreement](*latents.chunk(2))
        reconstruction = self.reconstruction_loss(self.decoder(latents), images)
        return reconstruction + self.agreement_weight * agreement

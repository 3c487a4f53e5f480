"""Masked autoencoder: reconstruct the whole clean image from what is left of a changed one."""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.augmentation import Augmentation
from trainers.losses import align_uniform, barlow_twins
from trainers.reconstruction import ReconstructionLoss

Agreement = Literal["barlow_twins", "align_uniform"]
AGREEMENTS = {"barlow_twins": barlow_twins, "align_uniform": align_uniform}


class MaskedAutoencoder(nn.Module):
    """A view with patches missing goes in; the image that it was made of must come out.

    Vincent et al. (2008, "Extracting and Composing Robust Features with Denoising Autoencoders")
    with the corruptions of our time: squares are hidden as in He et al. (2022, "Masked
    Autoencoders Are Scalable Vision Learners"), and the view is cropped and recoloured besides.
    To undo that, the latent has to know what the image shows, where pixels alone do not tell. The
    encoder is convolutional and sees gray where a square is hidden; an image's share of hidden
    squares is drawn, so that it learns from whole images too, which are all that it meets later.

    With `agreement_weight` above 0 there are two such views of an image, either of which must
    become the image, and their latents must agree: what the views have in common is kept. So that
    not all latents become alike, Barlow Twins (Zbontar et al., 2021) asks that no two numbers say
    the same, alignment and uniformity (Wang and Isola, 2020) that images lie evenly about. Neither
    takes labels; two views take twice the time.

    Args:
        encoder, decoder: as of an `Autoencoder`.
        augmentation: of the image that goes in; the image that must come out stays as it is.
        reconstruction_loss: of all pixels, hidden or not.
        mask_ratio: the largest share of hidden squares, in [0, 1).
        patch: their side in pixels.
        agreement: the loss between the latents of two views.
        agreement_weight: of that loss, 0 or more.
    """

    uses_labels = False

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        augmentation: Augmentation,
        reconstruction_loss: ReconstructionLoss,
        mask_ratio: float,
        patch: int = 4,
        agreement: Agreement = "align_uniform",
        agreement_weight: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= mask_ratio < 1 or patch < 1:
            raise ValueError(
                f"mask_ratio is {mask_ratio}, patch {patch}; allowed are [0, 1) and 1 or more"
            )
        if agreement not in AGREEMENTS:
            raise ValueError(f"agreement is {agreement!r}; allowed: {', '.join(AGREEMENTS)}")
        if not 0 <= agreement_weight < math.inf:
            raise ValueError(f"agreement_weight is {agreement_weight}, it must be 0 or more")
        self.encoder = encoder
        self.decoder = decoder
        self.classifier = None
        self.augmentation = augmentation
        self.reconstruction_loss = reconstruction_loss
        self.mask_ratio = mask_ratio
        self.patch = patch
        self.agreement: Agreement = agreement
        self.agreement_weight = agreement_weight

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) -> scalar; labels are not looked at."""
        if self.agreement_weight:
            images = torch.cat([images, images])
        view = self.hide(self.augmentation(images, generator), generator)
        latent = self.encoder(view)
        loss = self.reconstruction_loss(self.decoder(latent), images)
        if self.agreement_weight:
            agreement = AGREEMENTS[self.agreement](*latent.chunk(2))
            loss = loss + self.agreement_weight * agreement
        return loss

    def hide(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) -> the same with squares in the image's mean colour.

        Every image has a share of its own, uniform up to `mask_ratio`.
        """
        if self.mask_ratio == 0:
            return images
        batch, _, rows, columns = images.shape
        grid = -(-rows // self.patch), -(-columns // self.patch)
        draws = torch.rand(batch, 1 + grid[0] * grid[1], generator=generator, device=images.device)
        hidden = draws[:, 1:] < self.mask_ratio * draws[:, :1]
        squares = hidden.view(batch, 1, *grid).to(images.dtype)
        mask = F.interpolate(squares, scale_factor=self.patch, mode="nearest")
        mask = mask[:, :, :rows, :columns]
        return torch.lerp(images, images.mean((2, 3), keepdim=True), mask)

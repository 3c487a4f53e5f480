"""Autoencoder: reconstruct the whole image through the latent vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.augmentation import Augmentation
from trainers.losses import Reconstruction, check_kind, reconstruction


class Autoencoder(nn.Module):
    """Plain reconstruction: what goes in is what must come out, augmented or not.

    The view is both input and target: nothing is masked, denoised or contrasted.
    """

    uses_labels = False

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        augmentation: Augmentation,
        pixel_loss: Reconstruction = "l1",
    ) -> None:
        super().__init__()
        check_kind(pixel_loss)
        self.encoder = encoder
        self.decoder = decoder
        self.classifier = None
        self.augmentation = augmentation
        self.pixel_loss = pixel_loss

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) -> scalar; labels are not looked at."""
        view = self.augmentation(images, generator)
        return reconstruction(self.decoder(self.encoder(view)), view, kind=self.pixel_loss)

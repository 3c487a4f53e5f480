"""Autoencoder: reconstruct the whole image through the latent vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.augmentation import Augmentation
from trainers.reconstruction import ReconstructionLoss


class Autoencoder(nn.Module):
    """Plain reconstruction: the image that goes in must come out, augmented or not.

    The view is both input and target: nothing is masked, denoised or contrasted.
    """

    uses_labels = False

    def __init__(
        self,
        *,
        encoder: nn.Module,
        decoder: nn.Module,
        augmentation: Augmentation,
        reconstruction_loss: ReconstructionLoss,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.classifier = None
        self.augmentation = augmentation
        self.reconstruction_loss = reconstruction_loss

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) -> scalar; labels are not looked at."""
        view = self.augmentation(images, generator)
        return self.reconstruction_loss(self.decoder(self.encoder(view)), view)

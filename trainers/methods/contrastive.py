"""Contrastive: two views of an image attract, views of other images repel. No labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.augmentation import Augmentation
from trainers.losses import check_temperature, nt_xent


class Contrastive(nn.Module):
    """SimCLR (Chen et al., 2020): NT-Xent on projections of two augmented views.

    The projection head serves the loss only; the latent in front of it is what is kept. With
    `nn.Identity()` as the projection the loss is taken on the latents.
    """

    uses_labels = False

    def __init__(
        self,
        *,
        encoder: nn.Module,
        projection: nn.Module,
        augmentation: Augmentation,
        temperature: float = 0.2,
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        self.encoder = encoder
        self.decoder = None
        self.classifier = None
        self.projection = projection
        self.augmentation = augmentation
        self.temperature = temperature

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) -> scalar; labels are not looked at."""
        first, second = self.project_two_views(images, generator)
        return nt_xent(first, second, temperature=self.temperature)

    def project_two_views(
        self, images: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> two (B, P), through one pass of both views together."""
        views = self.augmentation(torch.cat([images, images]), generator)
        first, second = self.projection(self.encoder(views)).chunk(2)
        return first, second

"""Supervised contrastive: views of the same class attract. Uses labels."""

from __future__ import annotations

import torch
from torch import Tensor

from trainers.losses import supervised_contrastive
from trainers.methods.contrastive import Contrastive


class SupervisedContrastive(Contrastive):
    """SupCon (Khosla et al., 2020): `Contrastive` with the labels choosing the positives."""

    uses_labels = True

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W), (B,) -> scalar."""
        first, second = self.project_two_views(images, generator)
        return supervised_contrastive(first, second, labels, temperature=self.temperature)

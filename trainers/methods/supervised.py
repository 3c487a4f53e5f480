"""Supervised: encoder and classifier trained jointly on the labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.augmentation import Augmentation
from trainers.losses import check_temperature, classification


class Supervised(nn.Module):
    """Cross-entropy of the classifier on the latent of one augmented view."""

    uses_labels = True

    def __init__(
        self,
        *,
        encoder: nn.Module,
        classifier: nn.Module,
        augmentation: Augmentation,
        temperature: float = 1.0,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        check_temperature(temperature)
        self.encoder = encoder
        self.decoder = None
        self.classifier = classifier
        self.augmentation = augmentation
        self.temperature = temperature
        self.label_smoothing = label_smoothing

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W), (B,) -> scalar."""
        logits = self.classifier(self.encoder(self.augmentation(images, generator)))
        return classification(
            logits, labels, temperature=self.temperature, label_smoothing=self.label_smoothing
        )

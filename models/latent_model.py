"""The network that a training keeps: an encoder and what stands on its latent."""

from __future__ import annotations

from torch import Tensor, nn


class LatentModel(nn.Module):
    """Classifies an image from its latent: (B, C, H, W) float in [0, 1] -> (B, K) logits.

    Args:
        encoder: (B, C, H, W) -> (B, D).
        classifier: (B, D) -> (B, K); None where no labels were known, and latents are all there is.
        decoder: (B, D) -> (B, C, H, W) in [0, 1], where there is one.
        linear: (B, D) -> (B, K), the linear classifier, where one was fitted.
    """

    def __init__(
        self,
        *,
        encoder: nn.Module,
        classifier: nn.Module | None,
        decoder: nn.Module | None = None,
        linear: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier
        self.decoder = decoder
        self.linear = linear

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K), or (B, D) without a classifier."""
        latents: Tensor = self.encoder(images)
        return latents if self.classifier is None else self.classifier(latents)

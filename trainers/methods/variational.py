"""Variational autoencoder: reconstruct from a sample of q(z | x), which is kept near N(0, I)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models import VariationalEncoder
from trainers.augmentation import Augmentation
from trainers.losses import bernoulli_nll, kl_to_standard_normal


class VariationalAutoencoder(nn.Module):
    """Kingma and Welling (2014), with a weight on the KL term (Higgins et al., 2017).

    The negative evidence lower bound, in nats a pixel so that learning rates carry over from the
    plain autoencoder: -log p(x | z) of grey values taken as Bernoulli means, plus
    kl_weight KL(q(z | x) || N(0, I)). Samples are reparameterised: z = mean + deviation * noise.

    Args:
        encoder: gives the distribution.
        decoder: (B, D) -> (B, C, H, W) in [0, 1].
        kl_weight: 1 for the bound itself; more for latents nearer to N(0, I).
        kl_warmup: training steps over which the weight rises from 0, so that the decoder learns
            to use the latent before it is paid for (Sønderby et al., 2016).
    """

    uses_labels = False
    steps: Tensor

    def __init__(
        self,
        *,
        encoder: VariationalEncoder,
        decoder: nn.Module,
        augmentation: Augmentation,
        kl_weight: float = 1.0,
        kl_warmup: int = 0,
    ) -> None:
        super().__init__()
        if kl_weight < 0 or kl_warmup < 0:
            raise ValueError(f"kl_weight is {kl_weight}, kl_warmup is {kl_warmup}: negative")
        self.encoder = encoder
        self.decoder = decoder
        self.classifier = None
        self.augmentation = augmentation
        self.kl_weight = kl_weight
        self.kl_warmup = kl_warmup
        self.register_buffer("steps", torch.zeros(()), persistent=False)

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) -> scalar; labels are not looked at."""
        view = self.augmentation(images, generator)
        mean, log_variance = self.encoder.distribution(view)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        output = self.decoder(mean + (log_variance / 2).exp() * noise)
        weight = self.kl_weight * (self.steps / max(1, self.kl_warmup)).clamp(max=1)
        if self.kl_warmup == 0:
            weight = torch.full_like(weight, self.kl_weight)
        if self.training:
            self.steps += 1
        bound = bernoulli_nll(output, view) + weight * kl_to_standard_normal(mean, log_variance)
        return bound.mean() / math.prod(view.shape[1:])

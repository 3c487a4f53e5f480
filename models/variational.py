"""An encoder that gives a distribution over latents, and its mean where one latent is wanted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.layers import at_least_one


class VariationalEncoder(nn.Module):
    """(B, C, H, W) -> (B, D): the mean of q(z | x), a normal with a diagonal covariance.

    Kingma and Welling (2014), appendix C.2.

    Args:
        features: (B, C, H, W) -> (B, F).
        feature_dim: F.
        latent_dim: D.
    """

    def __init__(self, features: nn.Module, *, feature_dim: int, latent_dim: int) -> None:
        super().__init__()
        at_least_one(feature_dim=feature_dim, latent_dim=latent_dim)
        self.latent_dim = latent_dim
        self.features = features
        self.to_mean = nn.Linear(feature_dim, latent_dim)
        self.to_log_variance = nn.Linear(feature_dim, latent_dim)
        nn.init.kaiming_normal_(self.to_mean.weight, nonlinearity="linear")
        nn.init.zeros_(self.to_mean.bias)
        # Small, so that training starts from about unit variances whatever the features are.
        nn.init.normal_(self.to_log_variance.weight, std=0.01)
        nn.init.zeros_(self.to_log_variance.bias)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, D), the mean."""
        mean: Tensor = self.to_mean(torch.relu(self.features(images)))
        return mean

    def distribution(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> mean and log variance, each (B, D) float32."""
        features = torch.relu(self.features(images))
        return self.to_mean(features).float(), self.to_log_variance(features).float()

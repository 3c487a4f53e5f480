"""Fully connected encoder and decoder, for comparison with the convolutional ones."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from models.layers import at_least_one, initialise, one_of

MLPNorm = Literal["batch", "none"]


class MLPEncoder(nn.Module):
    """(B, C, S, S) -> (B, D): pixels, `depth` hidden layers of `width` units with ReLU, latent.

    With depth 1 and width 256 on MNIST it is the 784-256-D of a textbook autoencoder (Hinton and
    Salakhutdinov, 2006, without their pretraining).

    Args:
        channels, size: C and S of the image.
        width: units of each hidden layer.
        depth: number of hidden layers.
        latent_dim: D.
        dropout: probability of dropping a feature before the last layer.
        norm: `batch` normalises every layer and the latent, the latter without scale and shift, as
            `ConvEncoder` does; `none` is the textbook's.
    """

    def __init__(
        self,
        *,
        channels: int,
        size: int,
        width: int,
        depth: int = 1,
        latent_dim: int = 128,
        dropout: float = 0.0,
        norm: MLPNorm = "none",
    ) -> None:
        super().__init__()
        at_least_one(channels=channels, size=size, width=width, depth=depth, latent_dim=latent_dim)
        one_of("norm", norm, get_args(MLPNorm))
        self.latent_dim = latent_dim
        plain = norm == "none"
        self.layers = nn.Sequential(
            nn.Flatten(),
            *_hidden(channels * size**2, width, depth, norm),
            nn.Dropout(dropout),
            nn.Linear(width, latent_dim, bias=plain),
            *([] if plain else [nn.BatchNorm1d(latent_dim, affine=False)]),
        )
        initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, S, S) -> (B, D)."""
        latents: Tensor = self.layers(images)
        return latents


class MLPDecoder(nn.Module):
    """(B, D) -> (B, C, S, S) in [0, 1], mirroring `MLPEncoder` of the same numbers."""

    def __init__(
        self, *, channels: int, size: int, width: int, depth: int = 1, latent_dim: int = 128
    ) -> None:
        super().__init__()
        at_least_one(channels=channels, size=size, width=width, depth=depth, latent_dim=latent_dim)
        self.layers = nn.Sequential(
            *_hidden(latent_dim, width, depth),
            nn.Linear(width, channels * size**2),
            nn.Unflatten(1, (channels, size, size)),
        )
        initialise(self)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, D) -> (B, C, S, S) float32 in [0, 1]."""
        return torch.sigmoid(self.layers(latents).float())


def _hidden(incoming: int, width: int, depth: int, norm: MLPNorm = "none") -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(depth):
        if norm == "batch":  # it brings its own shift
            layers += [nn.Linear(incoming, width, bias=False), nn.BatchNorm1d(width)]
        else:
            layers.append(nn.Linear(incoming, width))
        layers.append(nn.ReLU(inplace=True))
        incoming = width
    return layers

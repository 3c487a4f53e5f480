"""A fixed first layer that decorrelates small patches, set once from training images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import at_least_one

FLOOR = 5e-4  # added to every variance: else a direction that hardly varies becomes noise


class PatchWhitening(nn.Module):
    """(B, C, S, S) in [0, 1] -> (B, 2 C k², S, S): whitened k x k patches, and their negatives.

    Neighbouring pixels are nearly equal, so a first layer that learns spends its first epochs on
    finding differences. Here they are given: the eigenvectors of the patches' covariance, each
    divided by its standard deviation, with both signs so that an activation loses neither. The
    filters are not parameters; only the biases learn (Jordan, "94% on CIFAR-10 in 3.29 Seconds
    on a Single GPU", 2024, section 3.1).

    Before `fit` the filters are the patches' single pixels.

    Args:
        channels: C.
        kernel: k, the side of a patch in pixels.
    """

    filters: Tensor

    def __init__(self, *, channels: int, kernel: int = 2) -> None:
        super().__init__()
        at_least_one(channels=channels, kernel=kernel)
        self.kernel = kernel
        pixels = torch.eye(channels * kernel**2).view(-1, channels, kernel, kernel)
        self.register_buffer("filters", torch.cat([pixels, -pixels]))
        self.bias = nn.Parameter(torch.zeros(len(self.filters)))

    @property
    def out_channels(self) -> int:
        """2 C k²."""
        return len(self.filters)

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the filters from (N, C, S, S) images in [0, 1]; some thousands are plenty."""
        covariance = patch_covariance(images, self.kernel)
        variances, vectors = torch.linalg.eigh(covariance)
        # An eigenvector's sign is open; fixed, the same images give the same filters everywhere.
        signs = torch.where(vectors.sum(0) < 0, -1.0, 1.0)
        whitening = (vectors * signs / (variances.clamp(min=0) + FLOOR).sqrt()).T
        half = whitening.flip(0).view(-1, *self.filters.shape[1:]).to(self.filters)
        self.filters.copy_(torch.cat([half, -half]))

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, S, S) -> (B, 2 C k², S, S); the image's edge is repeated outwards."""
        before, after = (self.kernel - 1) // 2, self.kernel // 2
        padded = F.pad(images, (before, after, before, after), mode="replicate")
        return F.conv2d(padded, self.filters, self.bias)


def patch_covariance(images: Tensor, kernel: int) -> Tensor:
    """(C k², C k²) float64: covariance of all k x k patches of (N, C, S, S) images."""
    patches = F.unfold(images.double(), kernel).transpose(1, 2).flatten(0, 1)
    centred = patches - patches.mean(0)
    return centred.T @ centred / len(centred)

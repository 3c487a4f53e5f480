"""A fixed permutation of pixels, which takes an image's geometry away and nothing else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.layers import at_least_one


class ShuffledPixels(nn.Module):
    """(B, C, S, S) -> (B, C, S, S): the pixels of every image in one and the same random order.

    A fully connected network can undo it with its first layer's weights, a convolution cannot:
    what stood side by side no longer does.

    Args:
        size: S.
        seed: of the order.
    """

    order: Tensor

    def __init__(self, *, size: int, seed: int = 0) -> None:
        super().__init__()
        at_least_one(size=size)
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("order", torch.randperm(size**2, generator=generator))

    def forward(self, images: Tensor) -> Tensor:
        """Every channel in the same order."""
        return images.flatten(2)[:, :, self.order].view(images.shape)

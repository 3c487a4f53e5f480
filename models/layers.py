"""Parts that encoder and decoder share: the stage plan, normalisation, initialisation."""

from __future__ import annotations

import math
from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "group", "none"]
MAX_STAGES = 3  # 32 -> 16 -> 8 -> 4 and 28 -> 14 -> 7 -> 4: a fourth halving leaves too little


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ValueError, naming the value and what is allowed, unless `value` is allowed."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, allowed are {', '.join(allowed)}")


def at_least_one(**values: int) -> None:
    """Raise ValueError for the first value that is under 1."""
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} is {value}, it must be at least 1")


def convolutions_per_stage(depth: int) -> tuple[int, ...]:
    """How `depth` convolution layers are spread over the stages, each of which halves the side.

    Up to three layers each has a stage of its own; further ones go to the later stages
    first: 1 -> (1,), 3 -> (1, 1, 1), 4 -> (1, 1, 2), 6 -> (2, 2, 2).
    """
    at_least_one(depth=depth)
    stages = min(depth, MAX_STAGES)
    each, extra = divmod(depth, stages)
    return tuple(each + (stage >= stages - extra) for stage in range(stages))


def halvings(size: int, stages: int) -> list[int]:
    """The side before each stage and after the last: (28, 3) -> [28, 14, 7, 4]."""
    sides = [size]
    for _ in range(stages):
        sides.append((sides[-1] + 1) // 2)
    return sides


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Normalisation over `channels` feature maps."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "group":
        return nn.GroupNorm(next(g for g in (8, 4, 2, 1) if channels % g == 0), channels)
    return nn.Identity()


class FlattenPixels(nn.Module):
    """(B, C, H, W) -> (B, H * W * C), pixel by pixel.

    That is the order in which channels-last feature maps lie in memory. `nn.Flatten` would copy
    them, and its gradient, which comes back in the other order, made the activation in front of it
    twenty times slower on a CPU.
    """

    def forward(self, features: Tensor) -> Tensor:
        """A view where `features` is channels-last."""
        return features.permute(0, 2, 3, 1).flatten(1)


class MeanPixels(nn.Module):
    """(B, C, H, W) -> (B, C): the mean of each map."""

    def forward(self, features: Tensor) -> Tensor:
        """Global average pooling (Lin et al., 2014, "Network In Network")."""
        return features.mean((2, 3))


class UnflattenPixels(nn.Module):
    """(B, side * side * C) -> (B, C, side, side), channels-last: undoes `FlattenPixels`."""

    def __init__(self, *, channels: int, side: int) -> None:
        super().__init__()
        self.channels = channels
        self.side = side

    def forward(self, vectors: Tensor) -> Tensor:
        """A view."""
        pixels = vectors.unflatten(1, (self.side, self.side, self.channels))
        return pixels.permute(0, 3, 1, 2)


def initialise(module: nn.Module) -> None:
    """He initialisation (He et al., 2015, eq. 10) for every weight, zeros for every bias.

    Normalisation layers keep torch's ones and zeros. The owner of a head may set
    its last layer again.
    """
    for part in module.modules():
        if isinstance(part, nn.ConvTranspose2d):
            # torch takes a transposed convolution's fan-in from its output channels. But every
            # input channel, times kernel / stride on each axis, reaches an output pixel.
            reach = math.prod(part.kernel_size) / math.prod(part.stride)
            nn.init.normal_(part.weight, std=math.sqrt(2 / (part.in_channels * reach)))
        elif isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        else:
            continue
        if part.bias is not None:
            nn.init.zeros_(part.bias)


def parameter_count(*modules: nn.Module) -> int:
    """The number of trainable scalars in `modules`."""
    return sum(p.numel() for module in modules for p in module.parameters() if p.requires_grad)

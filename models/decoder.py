"""The convolutional decoder: a latent vector back to an image, the encoder's mirror."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from models.layers import (
    Norm,
    UnflattenPixels,
    at_least_one,
    convolutions_per_stage,
    halvings,
    initialise,
    norm_layer,
    one_of,
)

Upsample = Literal["transposed", "shuffle"]


class ConvDecoder(nn.Module):
    """(B, D) -> (B, C, S, S) in [0, 1], mirroring `ConvEncoder` of the same numbers.

    Args:
        channels, size, width, depth, latent_dim, norm: as for `ConvEncoder`.
        upsample: how a stage doubles the side. `transposed`: a 3 x 3 `ConvTranspose2d` of
            stride 2. `shuffle`: a 1 x 1 convolution to four times the channels, then a pixel
            shuffle (Shi et al., 2016), which is cheaper on a CPU.
    """

    def __init__(
        self,
        *,
        channels: int,
        size: int,
        width: int,
        depth: int = 3,
        latent_dim: int = 128,
        upsample: Upsample = "transposed",
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        at_least_one(channels=channels, size=size, width=width, latent_dim=latent_dim)
        one_of("upsample", upsample, get_args(Upsample))
        one_of("norm", norm, get_args(Norm))
        plan = convolutions_per_stage(depth)
        sides = halvings(size, len(plan))
        incoming = width * 2 ** (len(plan) - 1)
        self.from_latent = nn.Sequential(
            nn.Linear(latent_dim, incoming * sides[-1] ** 2),
            UnflattenPixels(channels=incoming, side=sides[-1]),
        )
        bias = norm == "none"  # a normalisation brings its own shift
        stages: list[nn.Module] = []
        for stage in reversed(range(len(plan))):
            for _ in range(plan[stage] - 1):
                same = nn.Conv2d(incoming, incoming, 3, 1, 1, bias=bias)
                stages += [same, norm_layer(norm, incoming), nn.ReLU(inplace=True)]
            last = stage == 0
            outgoing = channels if last else width * 2 ** (stage - 1)
            stages.append(_doubling(upsample, incoming, outgoing, sides[stage], bias or last))
            if not last:
                stages += [norm_layer(norm, outgoing), nn.ReLU(inplace=True)]
            incoming = outgoing
        self.stages = nn.Sequential(*stages)
        initialise(self)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, D) -> (B, C, S, S) float32 in [0, 1].

        The sigmoid runs in float32: bfloat16 has too few values near 1 to tell light greys
        from white.
        """
        features = self.stages(self.from_latent(latents))
        return torch.sigmoid(features.float())


def _doubling(upsample: Upsample, incoming: int, outgoing: int, side: int, bias: bool) -> nn.Module:
    """From ceil(side / 2) to `side`."""
    if upsample == "shuffle":
        return _Shuffle(incoming, outgoing, side, bias)
    return nn.ConvTranspose2d(incoming, outgoing, 3, 2, 1, output_padding=1 - side % 2, bias=bias)


class _Shuffle(nn.Module):
    """(B, incoming, s, s) -> (B, outgoing, side, side), with side in {2 s - 1, 2 s}."""

    def __init__(self, incoming: int, outgoing: int, side: int, bias: bool) -> None:
        super().__init__()
        self.side = side
        self.layers = nn.Sequential(
            nn.Conv2d(incoming, 4 * outgoing, 1, bias=bias), nn.PixelShuffle(2)
        )

    def forward(self, features: Tensor) -> Tensor:
        doubled: Tensor = self.layers(features)
        return doubled[..., : self.side, : self.side]

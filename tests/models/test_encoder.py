"""The encoder: shapes, how a side is halved, gradients, dropout."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from models import ConvEncoder
from models.encoder import Block, Readout
from models.layers import MeanPixels, Norm, convolutions_per_stage, halvings

BLOCKS: tuple[Block, ...] = ("strided", "pooled")
NORMS: tuple[Norm, ...] = ("batch", "group", "none")


def pictures(channels: int, size: int, count: int = 3) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32, 17, 5, 1])
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("latent_dim", [1, 128])
def test_images_become_latents(channels: int, size: int, block: Block, latent_dim: int) -> None:
    encoder = ConvEncoder(
        channels=channels, size=size, width=4, block=block, latent_dim=latent_dim
    ).eval()
    latents = encoder(pictures(channels, size))
    assert latents.shape == (3, latent_dim) and latents.dtype == torch.float32
    assert encoder.latent_dim == latent_dim


@pytest.mark.parametrize("depth", range(1, 7))
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("norm", NORMS)
def test_depth_is_the_number_of_convolutions(depth: int, block: Block, norm: Norm) -> None:
    encoder = ConvEncoder(channels=3, size=17, width=4, depth=depth, block=block, norm=norm)
    convolutions = [part for part in encoder.modules() if isinstance(part, nn.Conv2d)]
    assert len(convolutions) == depth
    assert encoder(pictures(3, 17)).shape == (3, 128)


@pytest.mark.parametrize("depth", range(1, 7))
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("size", [28, 17])
def test_each_stage_halves_the_side_and_doubles_the_channels(
    depth: int, block: Block, size: int
) -> None:
    encoder = ConvEncoder(channels=1, size=size, width=4, depth=depth, block=block)
    sides = halvings(size, len(encoder.stages))
    assert len(encoder.stages) == len(convolutions_per_stage(depth))
    features = pictures(1, size)
    for stage, side in zip(encoder.stages, sides[1:], strict=True):
        features = stage(features)
        assert features.shape[2:] == (side, side)
    assert features.shape[1] == 4 * 2 ** (len(encoder.stages) - 1)


def test_blocks_differ_in_how_the_side_is_halved() -> None:
    def parts(block: Block) -> list[tuple[str, int, int]]:
        """(layer, kernel, stride) of whatever looks at more than a pixel."""
        encoder = ConvEncoder(channels=1, size=28, width=4, depth=4, block=block)
        looking = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
        found = [part for part in encoder.modules() if isinstance(part, looking)]
        return [
            (
                type(p).__name__,
                *(n if isinstance(n, int) else n[0] for n in (p.kernel_size, p.stride)),
            )
            for p in found
        ]

    halving, same = ("Conv2d", 3, 2), ("Conv2d", 3, 1)
    assert parts("strided") == [halving, halving, halving, same]
    assert parts("pooled") == [*[same, ("MaxPool2d", 2, 2)] * 3, same]
    assert parts("averaged") == [halving, *[("AvgPool2d", 2, 2), same] * 2, same]
    assert parts("patches") == [*[("Conv2d", 2, 2)] * 3, same]


@pytest.mark.parametrize("side", [4, 7])
def test_patches_lie_side_by_side_and_leave_no_pixel_out(side: int) -> None:
    encoder = ConvEncoder(channels=1, size=side, width=1, depth=1, block="patches", norm="none")
    patch = encoder.stages[0][0]
    images = torch.eye(side * side).reshape(-1, 1, side, side)  # one pixel is white in each
    with torch.no_grad():
        seen = patch(images) != patch(torch.zeros(1, 1, side, side))
    assert (seen.flatten(1).sum(1) == 1).all()


def test_a_mean_readout_does_not_tell_where_something_is() -> None:
    """Without convolutions that see the border: patches, moved by whole last pixels."""
    maps = torch.arange(8.0).view(1, 2, 2, 2)
    assert torch.equal(MeanPixels()(maps), torch.tensor([[1.5, 5.5]]))
    torch.manual_seed(0)
    encoders = {
        readout: ConvEncoder(
            channels=1, size=32, width=4, block="patches", norm="none", readout=readout
        ).eval()
        for readout in get_args(Readout)
    }
    images = pictures(1, 32)
    moved = images.roll((8, 16), (2, 3))
    torch.testing.assert_close(encoders["mean"](moved), encoders["mean"](images))
    apart = (encoders["flat"](moved) - encoders["flat"](images)).abs().mean()
    assert apart > 0.1 * encoders["flat"](images).abs().mean()
    weights = {r: e.to_latent[2].weight.shape for r, e in encoders.items()}
    assert weights == {"flat": (128, 16 * 4 * 4), "mean": (128, 16)}


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    encoder = ConvEncoder(channels=1, size=16, width=4, dropout=0.5, norm="group")
    images = pictures(1, 16)
    assert not torch.equal(encoder(images), encoder(images))
    encoder.eval()
    assert torch.equal(encoder(images), encoder(images))
    plain = ConvEncoder(channels=1, size=16, width=4, norm="group").eval()
    plain.load_state_dict(encoder.state_dict())
    assert torch.equal(plain(images), encoder(images))


def test_latents_are_standardised_over_a_training_batch() -> None:
    torch.manual_seed(0)
    latents = ConvEncoder(channels=3, size=16, width=4, latent_dim=32)(pictures(3, 16, 64))
    torch.testing.assert_close(latents.mean(0), torch.zeros(32), rtol=0, atol=1e-5)
    torch.testing.assert_close(latents.var(0, correction=0), torch.ones(32), rtol=1e-2, atol=0)

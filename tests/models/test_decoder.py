"""The decoder: the encoder's mirror, its range and its number format."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models import ConvDecoder, ConvEncoder
from models.decoder import Upsample
from models.layers import Norm

UPSAMPLES: tuple[Upsample, ...] = ("transposed", "shuffle")
NORMS: tuple[Norm, ...] = ("batch", "group", "none")


def latents(count: int = 3, latent_dim: int = 128) -> Tensor:
    return torch.randn(count, latent_dim, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [28, 32, 17, 30, 5, 1])
@pytest.mark.parametrize("upsample", UPSAMPLES)
@pytest.mark.parametrize("latent_dim", [1, 128])
def test_latents_become_images_of_the_same_side(
    channels: int, size: int, upsample: Upsample, latent_dim: int
) -> None:
    decoder = ConvDecoder(
        channels=channels, size=size, width=4, upsample=upsample, latent_dim=latent_dim
    ).eval()
    images = decoder(latents(latent_dim=latent_dim))
    assert images.shape == (3, channels, size, size) and images.dtype == torch.float32


@pytest.mark.parametrize("depth", range(1, 7))
@pytest.mark.parametrize("size", [28, 17])
@pytest.mark.parametrize("upsample", UPSAMPLES)
@pytest.mark.parametrize("norm", NORMS)
def test_features_mirror_the_encoders(
    depth: int, size: int, upsample: Upsample, norm: Norm
) -> None:
    """Every pair of channels and side that the encoder passes, the decoder passes backwards."""
    encoder = ConvEncoder(channels=3, size=size, width=4, depth=depth, norm=norm)
    decoder = ConvDecoder(channels=3, size=size, width=4, depth=depth, norm=norm, upsample=upsample)
    down = [(3, size)]
    features = torch.rand(3, 3, size, size)
    for stage in encoder.stages:
        features = stage(features)
        down.append((features.shape[1], features.shape[2]))
    features = decoder.from_latent(latents())
    up = [(features.shape[1], features.shape[2])]
    for layer in decoder.stages:
        features = layer(features)
        if up[-1] != (features.shape[1], features.shape[2]):
            up.append((features.shape[1], features.shape[2]))
    assert up == down[::-1]
    kinds = nn.Conv2d | nn.ConvTranspose2d
    assert sum(isinstance(part, kinds) for part in decoder.modules()) == depth


@pytest.mark.parametrize("upsample", UPSAMPLES)
def test_pixels_stay_in_range_however_large_the_latents(upsample: Upsample) -> None:
    decoder = ConvDecoder(channels=3, size=17, width=4, upsample=upsample, norm="none")
    for scale in (0.0, 1.0, 1e4):
        images = decoder(scale * latents())
        assert images.min() >= 0 and images.max() <= 1
    assert images.min() < 0.01 and images.max() > 0.99  # the whole range can be reached


@pytest.mark.parametrize("upsample", UPSAMPLES)
def test_pixels_are_float32_under_bfloat16(upsample: Upsample) -> None:
    """Near 1, bfloat16 has steps of 1/256: a sigmoid in it gives few values there."""
    torch.manual_seed(0)
    decoder = ConvDecoder(channels=1, size=16, width=4, upsample=upsample)
    with torch.autocast("cpu", torch.bfloat16):
        assert decoder.from_latent(latents()).dtype == torch.bfloat16
        images = decoder(latents())
    assert images.dtype == torch.float32
    assert not torch.equal(images, images.bfloat16().float())
    torch.testing.assert_close(images, decoder(latents()), atol=0.05, rtol=0)


def test_the_shuffle_fills_every_pixel_from_its_own_channel() -> None:
    """Four channels become the four pixels of a 2 x 2 block, an odd side loses the last ones."""
    decoder = ConvDecoder(channels=1, size=3, width=1, depth=1, upsample="shuffle", latent_dim=1)
    convolution = next(part for part in decoder.modules() if isinstance(part, nn.Conv2d))
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    expected = torch.tensor([[1.0, 2.0, 1.0], [3.0, 4.0, 3.0], [1.0, 2.0, 1.0]]).sigmoid()
    torch.testing.assert_close(decoder(torch.zeros(1, 1))[0, 0], expected)

"""Fully connected networks: shapes, the textbook's weights, bad numbers."""

from __future__ import annotations

import pytest
import torch

from models import MLPDecoder, MLPEncoder, parameter_count


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32)])
@pytest.mark.parametrize("depth", [1, 3])
def test_there_and_back(channels: int, size: int, depth: int) -> None:
    numbers = {"channels": channels, "size": size, "width": 24, "depth": depth, "latent_dim": 7}
    images = torch.rand(5, channels, size, size)
    latents = MLPEncoder(**numbers)(images)
    assert latents.shape == (5, 7)
    output = MLPDecoder(**numbers)(latents)
    assert output.shape == images.shape
    assert output.min() >= 0 and output.max() <= 1 and output.dtype == torch.float32


def test_the_textbooks_network() -> None:
    """784-256-d-256-784: its weights counted by hand."""
    numbers = {"channels": 1, "size": 28, "width": 256, "latent_dim": 10}
    encoder, decoder = MLPEncoder(**numbers), MLPDecoder(**numbers)
    assert parameter_count(encoder) == 784 * 256 + 256 + 256 * 10 + 10
    assert parameter_count(decoder) == 10 * 256 + 256 + 256 * 784 + 784


def test_normalised_latents_have_mean_0_and_variance_1() -> None:
    """As the convolutional encoder's, so that the two differ in their layers alone."""
    torch.manual_seed(0)
    encoder = MLPEncoder(channels=1, size=8, width=24, depth=2, latent_dim=5, norm="batch")
    latents = encoder(torch.rand(512, 1, 8, 8))
    torch.testing.assert_close(latents.mean(0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(latents.var(0, correction=0), torch.ones(5), atol=1e-3, rtol=0)
    assert parameter_count(encoder) == 64 * 24 + 24 * 24 + 2 * 2 * 24 + 24 * 5


def test_an_unknown_norm_is_named() -> None:
    with pytest.raises(ValueError, match="norm is 'group', allowed are batch, none"):
        MLPEncoder(channels=1, size=8, width=4, norm="group")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["width", "depth", "latent_dim"])
def test_numbers_under_one_are_named(name: str) -> None:
    numbers = {"channels": 1, "size": 8, "width": 4, "depth": 1, "latent_dim": 2, name: 0}
    for network in (MLPEncoder, MLPDecoder):
        with pytest.raises(ValueError, match=f"{name} is 0"):
            network(**numbers)

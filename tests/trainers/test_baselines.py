"""Encoders that nobody trains: PCA against scikit-learn, raw pixels, and no loss."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from trainers.baselines import Frozen, PixelEncoder, empty_pca, fit_pca
from trainers.evaluation import encode
from trainers.loop import DeviceImages

DIMENSIONS = 5


def pictures(count: int, channels: int, size: int, seed: int = 0) -> DeviceImages:
    """A few patterns of falling strength under noise, so that the components stand apart."""
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(99).normal(size=(8, channels * size**2))
    strengths = rng.normal(size=(count, 8)) * 24 * 0.7 ** np.arange(8)
    noise = rng.normal(size=(count, channels * size**2))
    images = np.clip(128 + strengths @ patterns + noise, 0, 255).round().astype(np.uint8)
    return DeviceImages(
        images=torch.from_numpy(images.reshape(count, channels, size, size)),
        labels=torch.arange(count) % 3,
    )


def pixels(data: DeviceImages) -> np.ndarray:
    """(N, C H W) in [0, 1], float64."""
    return data.images.flatten(1).numpy() / 255.0


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (3, 6)])
def test_pca_is_scikit_learns_and_comes_back_from_its_weights(channels: int, size: int) -> None:
    """By its singular value decomposition in float64, where ours goes by the covariance.

    A component's sign is free: the reference is turned to ours before they are compared.
    """
    train, valid = pictures(80, channels, size), pictures(30, channels, size, seed=1)
    made = fit_pca(train, latent_dim=DIMENSIONS)
    reference = PCA(DIMENSIONS, svd_solver="full").fit(pixels(train))
    expected = reference.transform(pixels(valid))
    latents = encode(made.encoder, valid)
    assert latents.shape == (30, DIMENSIONS) and latents.dtype == torch.float32
    signs = np.sign((latents.numpy() * expected).sum(0))
    np.testing.assert_allclose(latents.numpy(), expected * signs, atol=2e-5)

    assert made.decoder is not None
    restored = reference.inverse_transform(expected)
    assert restored.min() < 0 or restored.max() > 1, "else clipping would not be seen"
    np.testing.assert_allclose(
        made.decoder(latents).flatten(1).numpy(), restored.clip(0, 1), atol=2e-5
    )
    empty = empty_pca(channels=channels, size=size, latent_dim=DIMENSIONS)
    assert not encode(empty.encoder, valid).any()
    empty.load_state_dict(made.state_dict())
    assert torch.equal(encode(empty.encoder, valid), latents)
    assert empty.decoder is not None
    assert torch.equal(empty.decoder(latents), made.decoder(latents))
    assert set(made.state_dict()) == {
        f"{part}.{name}" for part in ("encoder", "decoder") for name in ("mean", "components")
    }


def test_pixels_are_flattened_and_nothing_else() -> None:
    images = torch.rand(3, 2, 4, 4)
    latents = PixelEncoder()(images)
    assert torch.equal(latents, images.reshape(3, 32))
    assert not list(PixelEncoder().parameters())


def test_nothing_of_them_is_trained() -> None:
    for frozen in (Frozen(PixelEncoder()), fit_pca(pictures(30, 1, 4), latent_dim=2)):
        assert not frozen.uses_labels and frozen.classifier is None
        assert not list(frozen.parameters())
        with pytest.raises(NotImplementedError, match="not trained"):
            frozen.loss(torch.rand(2, 1, 4, 4), torch.zeros(2), torch.Generator())
    assert Frozen(nn.Identity()).decoder is None

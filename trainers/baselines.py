"""Encoders that nobody trains, to compare the trained ones with: PCA, raw pixels, random weights.

The protocol's classifier measures all of them, on what they give, as it measures the others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainers.loop import DeviceImages


class Frozen(nn.Module):
    """A `Method` that is never trained: it has an encoder, perhaps a decoder, and no loss."""

    uses_labels = False

    def __init__(self, encoder: nn.Module, decoder: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.classifier = None

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Raise: there is no loss."""
        raise NotImplementedError("a frozen encoder is not trained")


class PixelEncoder(nn.Module):
    """(B, C, H, W) -> (B, C H W): the pixels themselves, which no latent of the six may be."""

    def forward(self, images: Tensor) -> Tensor:
        """Flatten."""
        return images.flatten(1)


class PCAEncoder(nn.Module):
    """(B, C, H, W) -> (B, D): the coordinates along the first D principal components."""

    mean: Tensor
    components: Tensor

    def __init__(self, *, pixels: int, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("components", torch.zeros(latent_dim, pixels))

    def forward(self, images: Tensor) -> Tensor:
        """Centre and project."""
        return (images.flatten(1) - self.mean) @ self.components.T


class PCADecoder(nn.Module):
    """(B, D) -> (B, C, S, S) in [0, 1]: the point in the components' plane, clipped to pixels."""

    mean: Tensor
    components: Tensor

    def __init__(self, *, channels: int, size: int, latent_dim: int) -> None:
        super().__init__()
        pixels = channels * size**2
        self.shape = (channels, size, size)
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("components", torch.zeros(latent_dim, pixels))

    def forward(self, latents: Tensor) -> Tensor:
        """Back to pixels."""
        return (latents @ self.components + self.mean).clamp(0, 1).unflatten(1, self.shape)


def empty_pca(*, channels: int, size: int, latent_dim: int) -> Frozen:
    """PCA before it is fitted, or before its weights are loaded."""
    return Frozen(
        PCAEncoder(pixels=channels * size**2, latent_dim=latent_dim),
        PCADecoder(channels=channels, size=size, latent_dim=latent_dim),
    )


def fit_pca(data: DeviceImages, *, latent_dim: int) -> Frozen:
    """PCA of the images' pixels in [0, 1] (scikit-learn, from the covariance: exact, no seed)."""
    from sklearn.decomposition import PCA

    _, channels, size, _ = data.images.shape
    pixels = data.images.flatten(1).cpu().numpy().astype("float32") / 255
    fitted = PCA(latent_dim, svd_solver="covariance_eigh").fit(pixels)
    model = empty_pca(channels=channels, size=size, latent_dim=latent_dim)
    state = {"mean": torch.from_numpy(fitted.mean_).float()}
    state["components"] = torch.from_numpy(fitted.components_).float()
    for part in (model.encoder, model.decoder):
        assert part is not None
        part.load_state_dict(state)
    return model.to(data.images.device)

"""The one check that every operation on images makes, from their shape and type alone."""

from __future__ import annotations

from torch import Tensor


def require_images(images: Tensor, channels: int | None = None) -> None:
    """Raise ValueError unless `images` are floating-point (B, C, H, W), C = `channels` if given."""
    if images.dim() != 4 or not images.is_floating_point():
        raise ValueError(
            f"images are {images.dtype} of shape {tuple(images.shape)}; "
            "allowed is a floating-point (B, C, H, W) with values in [0, 1]"
        )
    if channels is not None and images.shape[1] != channels:
        raise ValueError(f"images have {images.shape[1]} channels; allowed is {channels}")

"""The whitened stem: what its filters do to patches, what it learns, what is kept."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models import ConvEncoder, PatchWhitening
from models.whitening import patch_covariance


def smooth_pictures(count: int = 200, channels: int = 3) -> Tensor:
    """Neighbouring pixels and channels alike, as in photographs."""
    noise = torch.rand(count, channels, 16, 16, generator=torch.Generator().manual_seed(0))
    shared = noise.mean(1, keepdim=True) + 0.3 * noise
    smooth = torch.nn.functional.avg_pool2d(shared, 5, 1, 2)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("side", [28, 5, 1])
def test_the_side_stays_and_both_signs_come_out(channels: int, kernel: int, side: int) -> None:
    stem = PatchWhitening(channels=channels, kernel=kernel)
    images = torch.rand(3, channels, side, side)
    features = stem(images)
    assert features.shape == (3, stem.out_channels, side, side)
    assert stem.out_channels == 2 * channels * kernel**2
    half = stem.out_channels // 2
    torch.testing.assert_close(features[:, :half], -features[:, half:])


def test_what_comes_out_is_uncorrelated_and_of_one_size() -> None:
    """What hardly varies stays small, as `FLOOR` says; what varies has variance 1."""
    images = smooth_pictures()
    stem = PatchWhitening(channels=3, kernel=2)
    before = patch_covariance(images, 2)
    stem.fit(images)
    inside = stem(images)[:, : stem.out_channels // 2, :-1, :-1]  # the edge repeats pixels
    features = inside.transpose(0, 1).flatten(1).detach().double()
    covariance = torch.cov(features, correction=0)
    variances = torch.linalg.eigvalsh(before).flip(0)
    torch.testing.assert_close(
        covariance.diag(), variances / (variances + 5e-4), rtol=1e-3, atol=1e-3
    )
    assert (covariance - torch.diag(covariance.diag())).abs().max() < 1e-3
    assert (before - torch.diag(before.diag())).abs().max() > 0.5 * before.max()


def test_the_same_images_give_the_same_filters() -> None:
    first, second = (PatchWhitening(channels=3) for _ in range(2))
    first.fit(smooth_pictures())
    second.fit(smooth_pictures())
    assert torch.equal(first.filters, second.filters)
    assert not torch.equal(first.filters, PatchWhitening(channels=3).filters)
    ours, others = first.filters.chunk(2)
    assert torch.equal(ours, -others), "both signs, fitted too"


def test_only_the_biases_learn_and_the_filters_are_kept() -> None:
    encoder = ConvEncoder(channels=3, size=16, width=4, stem="whitened")
    names = [name for name, _ in encoder.stem.named_parameters()]
    assert names == ["0.bias"]
    stem = encoder.stem[0]  # type: ignore[index]
    stem.fit(smooth_pictures())
    other = ConvEncoder(channels=3, size=16, width=4, stem="whitened").eval()
    other.load_state_dict(encoder.state_dict())
    images = smooth_pictures(4)
    assert torch.equal(other(images), encoder.eval()(images))


def test_black_images_whiten_to_finite_numbers() -> None:
    stem = PatchWhitening(channels=1)
    stem.fit(torch.zeros(5, 1, 8, 8))
    assert torch.isfinite(stem(torch.rand(2, 1, 8, 8))).all()

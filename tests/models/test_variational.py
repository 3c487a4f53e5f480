"""The encoder that gives a distribution."""

from __future__ import annotations

import torch

from models import MLPEncoder, VariationalEncoder


def made() -> VariationalEncoder:
    torch.manual_seed(0)
    features = MLPEncoder(channels=1, size=8, width=16, latent_dim=12)
    return VariationalEncoder(features, feature_dim=12, latent_dim=3)


def test_the_latent_is_the_mean() -> None:
    encoder, images = made().eval(), torch.rand(6, 1, 8, 8)
    mean, log_variance = encoder.distribution(images)
    assert mean.shape == log_variance.shape == (6, 3)
    assert torch.equal(encoder(images), mean)
    assert encoder.latent_dim == 3


def test_training_starts_from_about_unit_variances() -> None:
    _, log_variance = made().distribution(torch.rand(50, 1, 8, 8))
    assert log_variance.abs().max() < 0.3

"""The variational autoencoder: its two terms against closed forms, its warm-up, its bound."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from models import MLPDecoder, MLPEncoder, VariationalEncoder
from tests.trainers.small import drawing
from trainers.augmentation import augmentation_for
from trainers.evaluation import evaluate, evidence_lower_bound
from trainers.loop import DeviceImages, fit
from trainers.losses import bernoulli_nll, kl_to_standard_normal
from trainers.methods import VariationalAutoencoder
from trainers.optimisation import Optimisation

PIXELS = 64


def method(**settings: float) -> VariationalAutoencoder:
    torch.manual_seed(0)
    numbers = {"channels": 1, "size": 8, "width": 32}
    return VariationalAutoencoder(
        encoder=VariationalEncoder(
            MLPEncoder(**numbers, latent_dim=16), feature_dim=16, latent_dim=2
        ),
        decoder=MLPDecoder(**numbers, latent_dim=2),
        augmentation=augmentation_for(digits=True, strength=0.0),
        **settings,  # type: ignore[arg-type]
    )


def stripes(count: int) -> DeviceImages:
    """Two kinds of images."""
    images = torch.zeros(count, 1, 8, 8, dtype=torch.uint8)
    images[::2, :, ::2] = 255
    images[1::2, :, :, ::2] = 255
    return DeviceImages(images=images, labels=torch.arange(count) % 2)


def test_the_divergence_is_torchs() -> None:
    mean, log_variance = torch.randn(5, 4), torch.randn(5, 4)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)
    assert (expected >= 0).all()
    zero = torch.zeros(1, 4)
    assert kl_to_standard_normal(zero, zero).item() == 0


def test_the_likelihood_is_torchs_for_black_and_white() -> None:
    output, target = torch.rand(4, 1, 3, 3), torch.randint(0, 2, (4, 1, 3, 3)).float()
    expected = -Bernoulli(output).log_prob(target).flatten(1).sum(1)
    torch.testing.assert_close(bernoulli_nll(output, target), expected, rtol=1e-4, atol=1e-4)


def test_the_loss_is_the_bound_a_pixel() -> None:
    made, images = method(kl_weight=2.0).eval(), torch.rand(6, 1, 8, 8)
    mean, log_variance = made.encoder.distribution(images)
    noise = torch.randn(mean.shape, generator=drawing(3))
    output = made.decoder(mean + (log_variance / 2).exp() * noise)
    expected = bernoulli_nll(output, images) + 2 * kl_to_standard_normal(mean, log_variance)
    found = made.loss(images, torch.zeros(6), drawing(3))
    torch.testing.assert_close(found, expected.mean() / PIXELS)


def test_the_weight_rises_over_the_warm_up() -> None:
    made, images = method(kl_warmup=4), torch.rand(6, 1, 8, 8)
    mean, log_variance = made.encoder.distribution(images)
    divergence = kl_to_standard_normal(mean, log_variance).mean() / PIXELS
    made.train()
    losses = torch.stack([made.loss(images, torch.zeros(6), drawing(3)) for _ in range(7)])
    steps = losses.diff() / divergence
    torch.testing.assert_close(steps[:4], torch.full((4,), 0.25), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(steps[4:], torch.zeros(2), atol=1e-4, rtol=0)
    made.eval()
    before = made.steps.clone()
    made.loss(images, torch.zeros(6), drawing(3))
    assert torch.equal(made.steps, before), "measuring is no training"


@pytest.mark.parametrize("settings", [{"kl_weight": -1.0}, {"kl_warmup": -1}])
def test_negative_settings(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="negative"):
        method(**settings)


def test_training_raises_the_bound_and_it_is_reported() -> None:
    made, data = method(kl_warmup=10), stripes(256)
    before, _ = evidence_lower_bound(made.encoder, made.decoder, data, seed=0)
    settings = Optimisation(optimizer="adamw", lr=1e-2, weight_decay=0.0, batch_size=32, warmup=0.0)
    for _ in fit(made, data, settings, epochs=15, seed=0):
        pass
    after, divergence = evidence_lower_bound(made.encoder, made.decoder, data, seed=0)
    # Two kinds of images: log 2 nats, if the latent tells them apart and pixels are sure.
    assert before < after < 0 and after > -10
    assert 0.3 * math.log(2) < divergence < 20
    measured = evaluate(made, data, data, classes=2, seed=0)
    assert measured.metrics["valid/elbo"] == pytest.approx(after)
    assert measured.metrics["valid/kl"] == pytest.approx(divergence)


def test_the_bound_is_that_of_a_slow_loop() -> None:
    made, data = method().eval(), stripes(6)
    images: Tensor = data.images.float() / 255
    noise = torch.randn(6, 2, generator=drawing(3))
    total = 0.0
    for number in range(6):
        mean, log_variance = made.encoder.distribution(images[number : number + 1])
        z = mean + (log_variance / 2).exp() * noise[number]
        output = made.decoder(z)
        cross = nn.functional.binary_cross_entropy(
            output, images[number : number + 1], reduction="sum"
        )
        total += -cross.item() - kl_to_standard_normal(mean, log_variance).item()
    found, _ = evidence_lower_bound(made.encoder, made.decoder, data, seed=3)
    assert found == pytest.approx(total / 6, rel=1e-5)

"""What stands on a latent: shapes, standardisation, where training starts."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import Classifier, LinearHead


def latents(count: int, latent_dim: int) -> Tensor:
    return torch.randn(count, latent_dim, generator=torch.Generator().manual_seed(0))


def test_the_classifier_starts_at_the_uniform_prediction() -> None:
    """A logit is a sum of 512 terms of variance 0.01² E[relu²]: its spread is about 0.2.

    The bound of 0.5 on the largest spread of ten is beyond 8 standard errors (1,000 rows).
    """
    torch.manual_seed(0)
    logits = Classifier(latent_dim=128, classes=10)(100 * latents(1000, 128) + 7)
    labels = torch.arange(1000) % 10
    assert logits.std(0).max() < 0.5
    assert abs(F.cross_entropy(logits, labels).item() - math.log(10)) < 0.1


def test_the_classifier_does_not_see_the_scale_of_the_latents() -> None:
    """In training each latent is standardised by its batch."""
    classifier = Classifier(latent_dim=8, classes=3).train()
    rows = latents(50, 8)
    torch.testing.assert_close(
        classifier(1000 * rows - 300), classifier(rows), atol=1e-3, rtol=1e-3
    )


def test_the_linear_head_starts_at_zero() -> None:
    head = LinearHead(latent_dim=8, classes=3)
    assert not head.weight.any() and not head.bias.any()
    assert isinstance(head, nn.Linear)

"""Supervised: cross-entropy of its own classifier on the latent of one view."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from trainers.augmentation import Digits
from trainers.losses import classification
from trainers.methods import Supervised


def method(**values: float) -> Supervised:
    torch.manual_seed(0)
    return Supervised(
        encoder=nn.Flatten(), classifier=nn.Linear(144, 3), augmentation=Digits(0.7), **values
    )


IMAGES = torch.rand(9, 1, 12, 12, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(9) % 3


@pytest.mark.parametrize("values", [{}, {"temperature": 0.3, "label_smoothing": 0.2}], ids=str)
def test_the_loss_is_the_cross_entropy_of_one_view(values: dict[str, float]) -> None:
    trained = method(**values)
    view = Digits(0.7)(IMAGES, torch.Generator().manual_seed(4))
    expected = classification(trained.classifier(view.flatten(1)), LABELS, **values)
    loss = trained.loss(IMAGES, LABELS, torch.Generator().manual_seed(4))
    assert torch.equal(loss, expected)

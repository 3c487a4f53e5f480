"""The autoencoder reconstructs the view that it was shown."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from trainers.augmentation import Digits
from trainers.methods import Autoencoder
from trainers.reconstruction import PixelError, ReconstructionLoss


class Remember(nn.Module):
    """The identity, keeping what passed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, features: Tensor) -> Tensor:
        self.seen.append(features)
        return features


def images() -> Tensor:
    return torch.rand(6, 1, 12, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["l1", "l2", "mixed"])
def test_the_target_is_the_augmented_view_itself(kind: PixelError) -> None:
    """A perfect copy of the view has loss 0: nothing is denoised, nothing undone."""
    encoder = Remember()
    method = Autoencoder(
        encoder=encoder,
        decoder=nn.Identity(),
        augmentation=Digits(1.0),
        reconstruction_loss=ReconstructionLoss(kind=kind),
    )
    loss = method.loss(images(), torch.zeros(6), torch.Generator().manual_seed(1))
    assert loss.item() == 0
    view = Digits(1.0)(images(), torch.Generator().manual_seed(1))
    assert len(encoder.seen) == 1 and torch.equal(encoder.seen[0], view)
    assert not torch.equal(view, images())

"""The autoencoder reconstructs the view that it was shown."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.trainers.small import Passed, drawing, pictures
from trainers.augmentation import Digits
from trainers.methods import Autoencoder
from trainers.reconstruction import PixelError, ReconstructionLoss


@pytest.mark.parametrize("kind", ["l1", "l2", "mixed"])
def test_the_target_is_the_augmented_view_itself(kind: PixelError) -> None:
    """A perfect copy of the view has loss 0: nothing is denoised, nothing undone."""
    encoder = Passed()
    method = Autoencoder(
        encoder=encoder,
        decoder=nn.Identity(),
        augmentation=Digits(1.0),
        reconstruction_loss=ReconstructionLoss(kind=kind),
    )
    loss = method.loss(pictures(6, 1, 12), torch.zeros(6), drawing(1))
    assert loss.item() == 0
    view = Digits(1.0)(pictures(6, 1, 12), drawing(1))
    assert len(encoder.seen) == 1 and torch.equal(encoder.seen[0], view)
    assert not torch.equal(view, pictures(6, 1, 12))

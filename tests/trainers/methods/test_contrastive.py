"""Contrastive: two different views of each image, paired with each other; labels as declared."""

from __future__ import annotations

import torch
from torch import nn

from tests.trainers.small import Passed, drawing, pictures
from trainers.augmentation import Digits
from trainers.losses import nt_xent, supervised_contrastive
from trainers.methods import Contrastive, SupervisedContrastive


def pixels(kind: type, strength: float, **values: float) -> tuple[Contrastive, Passed]:
    """The method on bare pixels: the projections are the views."""
    encoder = Passed(flatten=True)
    method = kind(
        encoder=encoder, projection=nn.Identity(), augmentation=Digits(strength), **values
    )
    return method, encoder


def test_two_different_views_of_each_image_in_one_pass() -> None:
    method, encoder = pixels(Contrastive, 1.0)
    first, second = method.project_two_views(pictures(8, 1, 12), drawing(1))
    assert len(encoder.seen) == 1  # batch normalisation sees both views together
    assert first.shape == second.shape == (8, 144)
    original = pictures(8, 1, 12).flatten(1)
    for one, other, image in zip(first, second, original, strict=True):
        assert not torch.equal(one, other)
        assert not torch.equal(one, image) and not torch.equal(other, image)


def test_row_by_row_both_views_are_of_the_same_image() -> None:
    """Constant images stay almost constant, so a view's middle tells its image."""
    grey = torch.linspace(0.2, 0.9, 8)[:, None, None, None].expand(8, 1, 12, 12)
    method, _ = pixels(Contrastive, 0.5)
    for views in method.project_two_views(grey, drawing(1)):
        middle = views.reshape(8, 12, 12)[:, 5:7, 5:7].mean((1, 2))
        torch.testing.assert_close(middle, grey[:, 0, 0, 0], atol=0.02, rtol=0)


def test_the_loss_is_taken_on_the_projections_at_the_methods_temperature() -> None:
    labels = torch.arange(8) % 3
    rows = pictures(8, 1, 12).flatten(1)
    for kind, expected in (
        (Contrastive, nt_xent(rows, rows, temperature=0.07)),
        (SupervisedContrastive, supervised_contrastive(rows, rows, labels, temperature=0.07)),
    ):
        method, _ = pixels(kind, 0.0, temperature=0.07)
        loss = method.loss(pictures(8, 1, 12), labels, torch.Generator())
        torch.testing.assert_close(loss, expected)

"""What every method promises to the loop and the evaluation, whichever it is."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.trainers.small import build_method, drawing, make_images
from trainers.methods import AlignedAutoencoder, MaskedAutoencoder, VariationalAutoencoder
from trainers.methods.masked import hide_squares


def batch() -> tuple[Tensor, Tensor]:
    """(16, 1, S, S) in [0, 1] and (16,)."""
    data = make_images(16)
    return data.images / 255, data.labels


def test_the_loss_is_a_scalar_whose_gradient_reaches_every_parameter(method_kind: type) -> None:
    method, (images, labels) = build_method(method_kind), batch()
    loss = method.loss(images, labels, drawing(0))
    assert torch.equal(images, batch()[0]), "they are left as they were"
    assert loss.shape == () and loss.dtype == torch.float32 and loss.isfinite()
    loss.backward()
    assert isinstance(method, nn.Module)
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_the_generator_decides_the_views(method_kind: type) -> None:
    """All of them: the global generator is neither read nor moved."""
    method = build_method(method_kind)
    before = torch.get_rng_state()
    first = method.loss(*batch(), drawing(0))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(12345)
    generator = drawing(0)
    assert torch.equal(method.loss(*batch(), generator), first)
    assert not torch.equal(method.loss(*batch(), generator), first), "the next draw is another"
    assert not torch.equal(method.loss(*batch(), drawing(1)), first)


def test_at_strength_zero_no_view_is_drawn(method_kind: type) -> None:
    """But a variational method its latents, and who hides squares those, and nothing else."""
    method, generator, expected = build_method(method_kind, strength=0.0), drawing(0), drawing(0)
    method.loss(*batch(), generator)
    if method_kind is VariationalAutoencoder:
        torch.randn(method.encoder(batch()[0]).shape, generator=expected)
    if isinstance(method, MaskedAutoencoder):
        views_of_an_image = 2 if isinstance(method, AlignedAutoencoder) else 1
        images = batch()[0].repeat(views_of_an_image, 1, 1, 1)
        hide_squares(images, method.mask_ratio, expected)
    assert torch.equal(generator.get_state(), expected.get_state())

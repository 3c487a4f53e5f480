"""The permutation of pixels: the same for every image and channel, and nothing is lost."""

from __future__ import annotations

import pytest
import torch

from models import ConvEncoder, MLPEncoder, ShuffledPixels


def test_every_image_and_channel_is_shuffled_alike() -> None:
    shuffle = ShuffledPixels(size=6)
    places = torch.arange(36.0).view(1, 1, 6, 6)
    shuffled = shuffle(places.expand(4, 3, 6, 6))
    assert shuffled.shape == (4, 3, 6, 6)
    assert (shuffled == shuffled[0, 0]).all()
    assert not torch.equal(shuffled[0, 0], places[0, 0])
    assert torch.equal(shuffled[0, 0].flatten().sort().values, places.flatten())


def test_the_order_follows_from_the_seed_alone_and_is_kept_with_the_weights() -> None:
    torch.manual_seed(1)
    one = ShuffledPixels(size=6)
    torch.manual_seed(2)
    same, other = ShuffledPixels(size=6), ShuffledPixels(size=6, seed=1)
    assert torch.equal(one.order, same.order)
    assert not torch.equal(one.order, other.order)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.order, other.order)


def test_a_dense_layer_can_undo_it_and_a_convolution_cannot() -> None:
    images = torch.rand(8, 1, 12, 12)
    shuffle = ShuffledPixels(size=12)
    dense = MLPEncoder(channels=1, size=12, width=16, latent_dim=4)
    before = dense(images)
    first = dense.layers[1]
    assert isinstance(first, torch.nn.Linear)
    first.weight.data = first.weight.data[:, shuffle.order]
    torch.testing.assert_close(dense(shuffle(images)), before)
    convolution = ConvEncoder(channels=1, size=12, width=4, latent_dim=4).eval()
    sums = [convolution.stages(x).sum((2, 3)) for x in (images, shuffle(images))]
    assert (sums[0] - sums[1]).abs().max() > 0.1


def test_a_size_under_one_is_named() -> None:
    with pytest.raises(ValueError, match="size is 0"):
        ShuffledPixels(size=0)

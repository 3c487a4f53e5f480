"""The stage plan, sides, normalisation, initialisation and counting of parameters."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch import nn

from models import Classifier, ConvDecoder, ConvEncoder, ProjectionHead, parameter_count
from models.layers import (
    FlattenPixels,
    UnflattenPixels,
    convolutions_per_stage,
    halvings,
    norm_layer,
)

PLANS = {1: (1,), 2: (1, 1), 3: (1, 1, 1), 4: (1, 1, 2), 5: (1, 2, 2), 7: (2, 2, 3), 9: (3, 3, 3)}


@pytest.mark.parametrize(("depth", "plan"), PLANS.items())
def test_stage_plan(depth: int, plan: tuple[int, ...]) -> None:
    assert convolutions_per_stage(depth) == plan


@pytest.mark.parametrize(
    ("size", "sides"), [(28, [28, 14, 7, 4]), (32, [32, 16, 8, 4]), (17, [17, 9, 5, 3])]
)
def test_sides_halve_and_round_up(size: int, sides: list[int]) -> None:
    for stages in range(4):
        assert halvings(size, stages) == sides[: stages + 1]


def test_feature_maps_become_vectors_and_back_without_a_copy() -> None:
    maps = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    vectors = FlattenPixels()(maps)
    assert vectors.tolist() == [[x for pixel in zip(*m.flatten(1), strict=True) for x in pixel]
                                for m in maps]  # fmt: skip
    again = UnflattenPixels(channels=3, side=4)(vectors)
    assert torch.equal(again, maps) and again.stride() == maps.stride()
    assert vectors.data_ptr() == maps.data_ptr() == again.data_ptr()


def test_gradients_come_back_in_the_order_of_the_feature_maps() -> None:
    maps = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    FlattenPixels()(maps).square().sum().backward()
    assert maps.grad is not None and maps.grad.stride() == maps.stride()


@pytest.mark.parametrize(("channels", "groups"), [(64, 8), (24, 8), (12, 4), (6, 2), (5, 1)])
def test_group_norm_takes_the_most_groups_that_fit(channels: int, groups: int) -> None:
    layer = norm_layer("group", channels)
    assert isinstance(layer, nn.GroupNorm)
    assert layer.num_groups == groups
    assert layer(torch.rand(2, channels, 3, 3)).shape == (2, channels, 3, 3)


Weighted = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


def fan_in(layer: Weighted) -> float:
    """Inputs that one output sums over, on average where a stride spreads them."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    taps = math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):
        taps /= math.prod(layer.stride)
    return layer.in_channels * taps


def weighted_layers(module: nn.Module) -> list[Weighted]:
    return [part for part in module.modules() if isinstance(part, Weighted)]


def test_weights_start_as_he_et_al_prescribe() -> None:
    """Mean 0, variance 2 / fan-in (He et al., 2015, eq. 10); biases 0.

    Both bounds are 5 standard errors: with a fresh seed the 42 comparisons together would fail
    by chance in 3 of 100,000 runs.
    """
    torch.manual_seed(0)
    layers = [
        *weighted_layers(ConvEncoder(channels=3, size=32, width=32, depth=5)),
        *weighted_layers(ConvDecoder(channels=3, size=32, width=32, depth=5, upsample="shuffle")),
        *weighted_layers(ConvDecoder(channels=3, size=32, width=32, depth=5)),
        *weighted_layers(ProjectionHead(latent_dim=64)),
        weighted_layers(Classifier(latent_dim=64, classes=10))[0],
    ]
    assert len(layers) == 21
    for layer in layers:
        expected = math.sqrt(2 / fan_in(layer))
        count = layer.weight.numel()
        assert layer.weight.mean().abs() < 5 * expected / math.sqrt(count), layer
        assert abs(layer.weight.std() / expected - 1) < 5 / math.sqrt(2 * count), layer
        assert layer.bias is None or not layer.bias.any(), layer


def test_parameter_count_against_a_count_by_hand() -> None:
    encoder = ConvEncoder(channels=1, size=28, width=8, latent_dim=16)
    convolutions = 1 * 8 * 9 + 8 * 16 * 9 + 16 * 32 * 9
    norms = 2 * (8 + 16 + 32)
    assert parameter_count(encoder) == convolutions + norms + 32 * 4 * 4 * 16 == 14_136

    decoder = ConvDecoder(channels=1, size=28, width=8, latent_dim=16)
    from_latent = 16 * 32 * 4 * 4 + 32 * 4 * 4
    convolutions = 32 * 16 * 9 + 16 * 8 * 9 + (8 * 1 * 9 + 1)  # only the last has a bias
    assert parameter_count(decoder) == from_latent + convolutions + 2 * (16 + 8) == 14_585

    # The standardisation in front of the classifier has no learned scale or shift.
    classifier = Classifier(latent_dim=128, classes=10)
    layers = (128 * 512 + 512) + (512 * 10 + 10)
    assert parameter_count(classifier) == layers == 71_178

    projection = ProjectionHead(latent_dim=128)
    assert parameter_count(projection) == 128 * 512 + 2 * 512 + 512 * 128 + 128 == 132_224
    assert parameter_count(encoder, decoder) == 14_136 + 14_585
    assert parameter_count() == 0


@pytest.mark.parametrize("network", [ConvEncoder, ConvDecoder])
def test_without_norms_every_convolution_has_a_bias(network: type) -> None:
    """A norm has its own shift; nothing but a decoder's last convolution is without one."""
    last = network is ConvDecoder
    for norm, biases in (("none", 6), ("batch", last), ("group", last)):
        made = network(channels=1, size=28, width=8, depth=6, norm=norm)
        assert sum(m.bias is not None for m in weighted_layers(made.stages)) == biases


def test_parameter_count_leaves_frozen_weights_out() -> None:
    layer = nn.Linear(3, 2)
    layer.weight.requires_grad_(False)
    assert parameter_count(layer) == 2


COMMON = {"channels": 1, "size": 8, "width": 2}


@pytest.mark.parametrize("network", [ConvEncoder, ConvDecoder])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"channels": 0}, "channels is 0, it must be at least 1"),
        ({"size": -3}, "size is -3, it must be at least 1"),
        ({"width": 0}, "width is 0, it must be at least 1"),
        ({"latent_dim": 0}, "latent_dim is 0, it must be at least 1"),
        ({"depth": 0}, "depth is 0, it must be at least 1"),
        ({"norm": "layer"}, "norm is 'layer', allowed are batch, group, none"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_values_are_refused(network: type, bad: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        network(**(COMMON | bad))


def test_bad_choices_of_one_network_are_refused() -> None:
    blocks = "strided, pooled, averaged, patches"
    with pytest.raises(ValueError, match=rf"^block is 'dense', allowed are {blocks}$"):
        ConvEncoder(**COMMON, block="dense")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^upsample is 'nearest', allowed are transposed, shuff"):
        ConvDecoder(**COMMON, upsample="nearest")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"dropout .*between 0 and 1.* 1\.5"):
        ConvEncoder(**COMMON, dropout=1.5)

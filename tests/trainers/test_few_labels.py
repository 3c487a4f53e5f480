"""Few labels: balanced draws, heads that do not disturb each other, networks that learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from trainers.few_labels import (
    Heads,
    Network,
    draw_balanced,
    fit_heads,
    fit_network,
    head_accuracies,
    network_accuracy,
)

LABELS = np.repeat(np.arange(10), 30)


@pytest.mark.parametrize("count", [10, 20, 160])
def test_draws_are_balanced_distinct_and_seeded(count: int) -> None:
    rows = draw_balanced(LABELS, count, seed=3)
    assert len(set(rows.tolist())) == count
    assert np.bincount(LABELS[rows]).tolist() == [count // 10] * 10
    assert (rows == draw_balanced(LABELS, count, seed=3)).all()
    assert set(rows.tolist()) != set(draw_balanced(LABELS, count, seed=4).tolist())


@pytest.mark.parametrize(
    ("count", "said"), [(5, "balanced"), (25, "balanced"), (400, "one class has 30")]
)
def test_draws_that_cannot_be(count: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        draw_balanced(LABELS, count, seed=0)


def blobs(count: int, dim: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Three classes apart from each other."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    centres = 4 * torch.eye(3, dim)
    return centres[labels] + 0.5 * torch.randn(count, dim, generator=generator), labels


def test_heads_learn_and_each_as_if_alone() -> None:
    latents, labels = blobs(60, 5, seed=0)
    held_out, truth = blobs(300, 5, seed=1)
    two = torch.stack([latents[:30], latents[30:]]), torch.stack([labels[:30], labels[30:]])
    heads = fit_heads(*two, classes=3, seed=0)
    assert min(head_accuracies(heads, held_out, truth)) > 0.95
    # What the second one sees does not matter to the first.
    shuffled = two[1].clone()
    shuffled[1] = shuffled[1].roll(1)
    other = fit_heads(two[0], shuffled, classes=3, seed=0)
    torch.testing.assert_close(other.hidden[0], heads.hidden[0])
    assert head_accuracies(other, held_out, truth)[1] < 0.5


def test_a_head_is_the_same_network_as_two_linear_layers() -> None:
    torch.manual_seed(0)
    heads = Heads(count=2, latent_dim=4, classes=3)
    z = torch.randn(2, 7, 4)
    for number in range(2):
        hidden = torch.relu(z[number] @ heads.hidden[number])
        expected = hidden @ heads.output[number]
        torch.testing.assert_close(heads(z)[number], expected)


def test_a_network_learns_with_its_encoder_and_by_its_seed() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 2
    images = torch.randint(0, 120, (120, 1, 4, 4), generator=generator, dtype=torch.uint8)
    images[labels == 1, :, :2] += 120  # the upper half is bright

    def trained(seed: int) -> Network:
        torch.manual_seed(1)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 6))
        network = Network(encoder, classes=2, mean=torch.zeros(6), spread=torch.ones(6))
        before = encoder[1].weight.detach().clone()
        fit_network(network, images[:40], labels[:40], rate=1e-3, seed=seed)
        assert not torch.equal(before, encoder[1].weight), "the encoder is trained too"
        return network

    network = trained(0)
    assert network_accuracy(network, images[40:], labels[40:]) > 0.95
    torch.testing.assert_close(trained(0).head.output, network.head.output, rtol=0, atol=0)

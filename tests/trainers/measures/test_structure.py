"""Structure of latents: closed forms and slow references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from trainers.measures.structure import (
    alignment,
    correlation,
    effective_rank,
    normalised,
    pair_distance,
    rankme,
    spectrum,
    uniformity,
    view_information,
)

RNG = np.random.default_rng(2)
Z = RNG.normal(size=(40, 6)) @ RNG.normal(size=(6, 6))


def test_normalised() -> None:
    z = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(normalised(z), [[0.6, 0.8], [0, 0]])


def test_alignment_in_closed_form() -> None:
    """Two views at an angle a lie 2 - 2 cos a apart; length does not matter."""
    angles = np.array([0.0, np.pi / 2, np.pi])
    first = np.tile([5.0, 0.0], (3, 1))
    second = 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    assert alignment(first, second) == pytest.approx(np.mean([0, 2, 4]))
    assert alignment(Z, 3 * Z) == pytest.approx(0)
    assert alignment(Z, -Z) == pytest.approx(4)
    with pytest.raises(ValueError, match="other images"):
        alignment(Z, Z[1:])


def test_uniformity_in_closed_form() -> None:
    """One point: 0. Two opposite ones: -4 t. The axes of a space: all pairs 2 apart, -2 t."""
    assert uniformity(np.ones((5, 3))) == pytest.approx(0)
    assert uniformity(np.array([[1.0, 0], [-7.0, 0]]), t=3) == pytest.approx(-12)
    assert uniformity(np.eye(6)) == pytest.approx(-4)
    with pytest.raises(ValueError, match="no pair"):
        uniformity(np.ones((1, 3)))


def test_uniformity_and_pair_distance_against_a_loop() -> None:
    unit = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    squared = np.array([((unit[i] - unit[j]) ** 2).sum() for i in range(40) for j in range(i)])
    assert uniformity(Z) == pytest.approx(math.log(np.exp(-2 * squared).mean()))
    assert pair_distance(Z) == pytest.approx(squared.mean())
    assert pair_distance(np.ones((4, 2))) == pytest.approx(0)


def test_spectrum() -> None:
    expected = np.linalg.svd(np.cov(Z.T, bias=True), compute_uv=False)
    np.testing.assert_allclose(spectrum(Z), expected, atol=1e-12)


def test_effective_rank_in_closed_form() -> None:
    """Isotropic: D. k equal directions: k. A line: 1. A point: 0. Variances 1 : 3: by entropy."""
    cross = np.concatenate([np.eye(7), -np.eye(7)])
    assert effective_rank(cross) == pytest.approx(7)
    assert effective_rank(cross[:, :3]) == pytest.approx(3)
    assert effective_rank(np.arange(9.0)[:, None] * np.ones(4)) == pytest.approx(1)
    assert effective_rank(np.ones((5, 4))) == 0
    uneven = np.array([[1, 0], [-1, 0], [0, math.sqrt(3)], [0, -math.sqrt(3)]])
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert effective_rank(uneven) == pytest.approx(math.exp(entropy))
    assert effective_rank(10 * uneven + 3) == pytest.approx(math.exp(entropy))


def test_rankme_in_closed_form() -> None:
    """Singular values, of latents that are not centred: as the paper's equation has them."""
    assert rankme(torch.eye(7)) == pytest.approx(7)
    assert rankme(torch.ones(5, 4)) == pytest.approx(1)
    assert rankme(torch.zeros(5, 4)) == 0
    values = np.linalg.svd(Z + 1, compute_uv=False)
    shares = values / values.sum()
    entropy = -(shares * np.log(shares)).sum()
    assert rankme(torch.from_numpy(Z + 1)) == pytest.approx(math.exp(entropy))


def test_view_information_in_closed_form() -> None:
    """Two directions: one tells the images apart, the other only their views."""
    means = torch.tensor([0.0, 2.0, 4.0, 6.0])
    moved = [(x, y) for x in (-0.5, 0.5) for y in (-1.0, 1.0)]
    views = torch.stack([torch.stack([means + x, torch.full_like(means, y)], 1) for x, y in moved])
    ridge = 0.01 * (0.25 + 1) / 2
    told = math.log((5 + 0.25 + ridge) / (0.25 + ridge)) / 2
    assert view_information(views) == pytest.approx(told)
    assert view_information(10 * views + 3) == pytest.approx(told)
    assert view_information(torch.ones(2, 4, 3)) == 0
    assert view_information(views.flip(1)) == pytest.approx(told), "in any order"


def test_correlation() -> None:
    matrix = np.abs(np.corrcoef(Z.T))
    expected = np.mean([matrix[i, j] for i in range(6) for j in range(6) if i != j])
    assert correlation(Z) == pytest.approx(expected)
    assert correlation(np.column_stack([Z[:, 0], -2 * Z[:, 0]])) == pytest.approx(1)
    assert correlation(np.concatenate([np.eye(7), -np.eye(7)])) == pytest.approx(0)
    assert correlation(np.column_stack([Z[:, :2], np.ones(40)])) == correlation(Z[:, :2])
    assert correlation(np.ones((5, 3))) == 0

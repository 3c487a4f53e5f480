"""Muon: orthogonalised momentum for kernels, AdamW for what is none."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tests.trainers.small import normal
from trainers.muon import COEFFICIENTS, MATCHED_RMS, MOMENTUM, STEPS, Muon, orthogonalised

SHAPES = [(8, 8), (4, 30), (30, 4), (1, 9), (9, 1)]


def by_definition(matrix: Tensor) -> Tensor:
    """The published loop, on the whole matrix, in double precision."""
    first, second, third = COEFFICIENTS
    wide = matrix.double() if matrix.shape[0] <= matrix.shape[1] else matrix.double().T
    wide = wide / wide.norm()
    for _ in range(STEPS):
        gram = wide @ wide.T
        wide = first * wide + (second * gram + third * gram @ gram) @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


@pytest.mark.parametrize("shape", SHAPES)
def test_the_steps_on_the_small_side_are_the_published_ones(shape: tuple[int, int]) -> None:
    matrix = normal(*shape)
    torch.testing.assert_close(
        orthogonalised(matrix[None])[0].double(), by_definition(matrix), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e6])
def test_singular_vectors_stay_and_values_come_near_one(
    shape: tuple[int, int], size: float
) -> None:
    """Near: the published coefficients trade exactness for speed and end between 0.68 and 1.2."""
    matrix = size * normal(*shape)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ orthogonalised(matrix[None])[0] @ right.T
    large = values > 0.03 * values.max()
    assert ((inside.diag()[large] > 0.6) & (inside.diag()[large] < 1.25)).all()
    torch.testing.assert_close(inside, torch.diag(inside.diag()), rtol=0, atol=1e-3)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert torch.equal(orthogonalised(torch.zeros(1, 3, 5)), torch.zeros(1, 3, 5))


def test_steps_of_a_kernel_written_out() -> None:
    """Momentum, Nesterov's look ahead, the scale of Liu et al., and the decay apart from it."""
    kernel = nn.Parameter(torch.ones(4, 3, 2, 2))
    group = {"params": [kernel], "weight_decay": 0.2, "orthogonal": True}
    optimizer = Muon([group], lr=1.0)
    expected, momentum = torch.ones(4, 12).double(), torch.zeros(4, 12).double()
    for step, rate in enumerate([0.1, 0.3, 0.05]):
        gradient = normal(4, 3, 2, 2, seed=step)
        kernel.grad = gradient.clone()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
        flat = gradient.flatten(1).double()
        momentum = MOMENTUM * momentum + (1 - MOMENTUM) * flat
        ahead = by_definition((1 - MOMENTUM) * flat + MOMENTUM * momentum)
        expected = expected * (1 - 0.2 * rate) - rate * MATCHED_RMS * math.sqrt(12) * ahead
    torch.testing.assert_close(kernel.detach().flatten(1).double(), expected, rtol=1e-3, atol=1e-4)


def test_kernels_of_one_shape_move_together_as_each_would_alone() -> None:
    shapes = [(4, 3, 2, 2), (6, 4, 2, 2), (4, 3, 2, 2), (5, 3, 2, 2)]

    def moved(*chosen: int) -> list[Tensor]:
        kernels = [nn.Parameter(normal(*shapes[i], seed=i)) for i in chosen]
        optimizer = Muon([{"params": kernels, "orthogonal": True}], lr=0.1)
        for step in range(2):
            for i, kernel in zip(chosen, kernels, strict=True):
                without = i == 3  # is left where it is
                kernel.grad = None if without else normal(*shapes[i], seed=10 * step + i)
            optimizer.step()
        return [kernel.detach() for kernel in kernels]

    together = moved(0, 1, 2, 3)
    for i in range(3):
        torch.testing.assert_close(together[i], moved(i)[0])
        assert not torch.equal(together[i], normal(*shapes[i], seed=i))
    assert torch.equal(together[3], normal(*shapes[3], seed=3))


def test_one_rate_serves_both() -> None:
    """The size of a step is about AdamW's, so that a search's range of rates fits."""
    kernel = nn.Parameter(torch.zeros(64, 32, 3, 3))
    kernel.grad = normal(64, 32, 3, 3)
    Muon([{"params": [kernel], "weight_decay": 0.0, "orthogonal": True}], lr=1e-2).step()
    size = kernel.detach().square().mean().sqrt().item()
    assert 0.15e-2 < size < 0.3e-2

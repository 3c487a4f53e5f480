"""Muon: momentum made orthogonal, for the kernels of convolutions; AdamW for all else."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95
STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's: fast from small singular values to near 1
MATCHED_RMS = 0.2  # of an update in units of the rate, which is about AdamW's


class Muon(torch.optim.AdamW):
    """AdamW whose groups with `orthogonal=True` are moved by Muon (Jordan et al., "Muon: An
    optimizer for hidden layers in neural networks", 2024).

    A kernel's gradient is dominated by a few directions. Muon replaces the Nesterov momentum of
    each, taken as an (out, in k k) matrix, by the nearest matrix with all singular values near 1,
    so that every direction is moved alike. Scaled to AdamW's size of update (Liu et al., "Muon is
    Scalable for LLM Training", 2025, eq. 4), it takes AdamW's learning rates and decay.

    `torch.optim.Muon` takes matrices only, and leaves all else to a second optimizer.

    Args:
        groups: as for `torch.optim.AdamW`; `orthogonal` is False where it is not given.
        lr: of every group that has none of its own.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, lr: float) -> None:
        super().__init__([{"orthogonal": False, **group} for group in groups], lr=lr, fused=True)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move the orthogonal groups, then let AdamW move what still has a gradient."""
        for group in self.param_groups:
            if group["orthogonal"]:
                for kernels in _alike(group["params"]):
                    self._move(kernels, rate=group["lr"], decay=group["weight_decay"])
        super().step()

    def _move(self, kernels: list[Tensor], *, rate: float | Tensor, decay: float) -> None:
        """Move kernels of one shape, and clear their gradients."""
        for kernel in kernels:
            if not self.state[kernel]:
                # AdamW looks for a count of steps wherever a state is loaded.
                self.state[kernel].update(step=torch.zeros(()), momentum=torch.zeros_like(kernel))
        gradients = [kernel.grad for kernel in kernels if kernel.grad is not None]
        momenta = [self.state[kernel]["momentum"] for kernel in kernels]
        torch._foreach_lerp_(momenta, gradients, 1 - MOMENTUM)
        directions = torch.stack(torch._foreach_lerp(gradients, momenta, MOMENTUM))
        matrices = directions.flatten(2)
        scale = MATCHED_RMS * math.sqrt(max(matrices.shape[1:]))
        updates = orthogonalised(matrices).view(directions.shape) * (rate * scale)
        torch._foreach_mul_(kernels, 1 - rate * decay)
        torch._foreach_sub_(kernels, updates.unbind())
        for kernel in kernels:
            kernel.grad = None


def _alike(kernels: Iterable[Tensor]) -> Iterable[list[Tensor]]:
    """Those with a gradient, in lists of equal shape: a GPU moves a list as fast as one."""
    by_shape: dict[torch.Size, list[Tensor]] = {}
    for kernel in kernels:
        if kernel.grad is not None:
            by_shape.setdefault(kernel.shape, []).append(kernel)
    return by_shape.values()


def orthogonalised(matrices: Tensor) -> Tensor:
    """(K, m, n) -> (K, m, n) with the same singular vectors and singular values near 1.

    Five steps of X <- a X + b (X X') X + c (X X')² X (Jordan et al., 2024). All X X' are
    polynomials in the first one, so that the steps are taken on the small (m, m) side and X is
    touched twice only: less than half of the multiplications, and float32 is cheap enough.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    wide = matrices.mT if tall else matrices
    wide = wide / torch.linalg.matrix_norm(wide, keepdim=True).clamp(min=1e-12)
    gram = wide @ wide.mT
    first, second, third = COEFFICIENTS
    product = None
    for number in range(STEPS):
        step = torch.baddbmm(gram, gram, gram, beta=second, alpha=third)
        step.diagonal(dim1=1, dim2=2).add_(first)
        product = step if product is None else step @ product
        if number < STEPS - 1:
            gram = step @ gram @ step
    result = product @ wide
    return result.mT if tall else result

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
                for kernel in group["params"]:
                    self._move(kernel, rate=group["lr"], decay=group["weight_decay"])
                    kernel.grad = None
        super().step()

    def _move(self, kernel: Tensor, *, rate: float, decay: float) -> None:
        if kernel.grad is None:
            return
        state = self.state[kernel]
        if not state:
            # AdamW looks for a count of steps wherever a state is loaded.
            state.update(step=torch.zeros(()), momentum=torch.zeros_like(kernel))
        state["step"] += 1
        momentum = state["momentum"].lerp_(kernel.grad, 1 - MOMENTUM)
        direction = kernel.grad.lerp(momentum, MOMENTUM).flatten(1)
        scale = MATCHED_RMS * math.sqrt(max(direction.shape))
        update = orthogonalised(direction).view(kernel.shape)
        kernel.mul_(1 - rate * decay).add_(update, alpha=-rate * scale)


def orthogonalised(matrix: Tensor) -> Tensor:
    """(m, n) -> (m, n) with the same singular vectors and singular values near 1.

    Five steps of X <- a X + b (X X') X + c (X X')² X (Jordan et al., 2024). All X X' are
    polynomials in the first one, so that the steps are taken on the small (m, m) side and X is
    touched twice only: less than half of the multiplications, and float32 is cheap enough.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    scale = 1 / wide.norm().clamp(min=1e-12)
    gram = (wide @ wide.T) * scale**2
    identity = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    product = identity * scale
    first, second, third = COEFFICIENTS
    for _ in range(STEPS):
        step = first * identity + second * gram + third * (gram @ gram)
        product = step @ product
        gram = step @ gram @ step
    result = product @ wide
    return result if matrix.shape[0] <= matrix.shape[1] else result.T

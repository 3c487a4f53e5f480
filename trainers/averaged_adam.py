"""AdamW whose moments are averaged in either of two ways.

Both averages are one running update, m += w (g - m), and differ in the weight w of the newest
value. A plain mean of all values so far gives it 1 / t, less and less. An exponential moving
average gives it (1 - beta) / (1 - beta^t), which tends to 1 - beta: this is Adam's moment with its
bias already corrected (Kingma and Ba, 2015, algorithm 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch

Average = Literal["exponential", "plain"]


def newest_weight(average: Average, step: int, beta: float) -> float:
    """The weight of the newest of `step` = 1, 2, ... values in their average, in (0, 1]."""
    if average == "plain":
        return 1 / step
    return (1 - beta) / (1 - beta**step)


class AveragingAdamW(torch.optim.Optimizer):
    """AdamW (Loshchilov and Hutter, 2019) with a choice of averages; both exponential is its own.

    Args:
        params: as every optimizer of torch takes them; groups may have a `weight_decay`.
        lr: learning rate.
        first, second: how gradients and their squares are averaged.
        betas: of the exponential ones.
        eps: added to the root of the second moment.
    """

    def __init__(
        self,
        params: Iterable[Any],
        *,
        lr: float,
        first: Average,
        second: Average,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.0})
        self._averages = {"first": (first, betas[0]), "second": (second, betas[1])}
        self._eps = eps

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if not parameters:
                continue
            gradients = [p.grad for p in parameters]
            states = [self._state(p) for p in parameters]
            for state in states:
                state["step"] += 1
            step = states[0]["step"]  # one training, one step: all parameters take part in each
            weight = {
                name: newest_weight(average, step, beta)
                for name, (average, beta) in self._averages.items()
            }
            first = [state["first"] for state in states]
            second = [state["second"] for state in states]
            torch._foreach_lerp_(first, gradients, weight["first"])
            torch._foreach_lerp_(second, torch._foreach_mul(gradients, gradients), weight["second"])
            sizes = torch._foreach_sqrt(second)
            torch._foreach_add_(sizes, self._eps)
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
            moves = torch._foreach_mul(first, -group["lr"])
            torch._foreach_addcdiv_(parameters, moves, sizes)

    def _state(self, parameter: torch.Tensor) -> dict[str, Any]:
        state = self.state[parameter]
        if not state:
            state.update(
                step=0, first=torch.zeros_like(parameter), second=torch.zeros_like(parameter)
            )
        moments: dict[str, Any] = state
        return moments

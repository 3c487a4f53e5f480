"""AdamW with a choice of averages, against means written out."""

from __future__ import annotations

import re
from itertools import product
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from trainers.averaged_adam import Average, AveragingAdamW
from trainers.optimisation import Optimisation, build_optimizer

AVERAGES: tuple[Average, ...] = get_args(Average)
GRADIENTS = torch.tensor([[1.0, -2.0], [0.5, 3.0], [-1.5, 0.25], [2.0, 2.0], [0.0, -1.0]])
LR, DECAY, EPS = 0.1, 0.3, 1e-8


def walk(optimizer: torch.optim.Optimizer, parameter: Tensor) -> Tensor:
    """Where the parameter is after each of the gradients."""
    places = []
    for gradient in GRADIENTS:
        parameter.grad = gradient.clone()
        optimizer.step()
        places.append(parameter.detach().clone())
    return torch.stack(places)


def start() -> nn.Parameter:
    return nn.Parameter(torch.tensor([0.7, -0.4]))


@pytest.mark.parametrize(("first", "second"), list(product(AVERAGES, AVERAGES)))
def test_every_pair_of_averages_written_out(first: Average, second: Average) -> None:
    def average(values: Tensor, how: Average, beta: float) -> Tensor:
        if how == "plain":
            return values.mean(0)
        powers = beta ** torch.arange(len(values) - 1, -1, -1.0)
        return (powers[:, None] * values).sum(0) / powers.sum()

    parameter = start()
    place, expected = parameter.detach().clone(), []
    for step in range(1, len(GRADIENTS) + 1):
        seen = GRADIENTS[:step]
        moment = average(seen, first, 0.9)
        size = average(seen**2, second, 0.999).sqrt() + EPS
        place = place * (1 - LR * DECAY) - LR * moment / size
        expected.append(place)
    groups = [{"params": [parameter], "weight_decay": DECAY}]
    found = walk(AveragingAdamW(groups, lr=LR, first=first, second=second), parameter)
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-5, rtol=1e-4)


def test_what_has_no_gradient_stays() -> None:
    moved, still = start(), start()
    optimizer = AveragingAdamW([moved, still], lr=LR, first="plain", second="plain")
    before = still.detach().clone()
    walk(optimizer, moved)
    assert torch.equal(still, before)


@pytest.mark.parametrize("name", ["first_moment", "second_moment"])
def test_the_settings_choose_it(name: str) -> None:
    module = nn.Linear(3, 2)
    assert type(build_optimizer(module, Optimisation())) is torch.optim.AdamW
    chosen = build_optimizer(module, Optimisation(**{name: "plain"}))  # type: ignore[arg-type]
    assert isinstance(chosen, AveragingAdamW)
    assert [group["weight_decay"] for group in chosen.param_groups] == [1e-2, 0.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"first_moment": "mean"}, "first_moment is 'mean', allowed: ('exponential', 'plain')"),
        (
            {"optimizer": "sgd", "second_moment": "plain"},
            "second_moment is 'plain', allowed: ('exponential',)",
        ),
    ],
)
def test_what_cannot_be_is_named(values: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Optimisation(**values)  # type: ignore[arg-type]

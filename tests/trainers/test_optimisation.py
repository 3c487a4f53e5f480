"""The learning rate's course, what is decayed, and steps against references written out."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch import nn

from models import ConvEncoder
from tests.trainers.small import normal
from trainers.optimisation import Decay, Optimisation, OptimizerName, build_optimizer

OPTIMIZERS: tuple[OptimizerName, ...] = ("adamw", "sgd", "muon")
DECAYS: tuple[Decay, ...] = ("cosine", "linear")


def rates(settings: Optimisation, steps: int) -> list[float]:
    return [settings.rate(step, steps) for step in range(steps)]


def test_the_rates_closed_forms() -> None:
    linear = rates(Optimisation(lr=2.0, warmup=0.2, decay="linear"), 50)
    cosine = rates(Optimisation(lr=2.0, warmup=0.2, decay="cosine"), 50)
    warm = [2.0 * (step + 1) / 10 for step in range(10)]
    assert linear == pytest.approx(warm + [2.0 * (50 - step) / 40 for step in range(10, 50)])
    assert cosine == pytest.approx(
        warm + [2.0 * math.cos(math.pi / 2 * (step - 10) / 40) ** 2 for step in range(10, 50)]
    )


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5, 0.99])
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 57])
def test_every_step_has_a_rate_and_one_step_the_peak(
    decay: Decay, warmup: float, steps: int
) -> None:
    course = rates(Optimisation(lr=1e-3, warmup=warmup, decay=decay), steps)
    assert all(0 < rate <= 1e-3 for rate in course)
    assert max(course) == pytest.approx(1e-3)
    if warmup == 0:
        assert course[0] == 1e-3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer": "lion"}, "optimizer is 'lion', allowed: ('adamw', 'sgd', 'muon')"),
        ({"decay": "step"}, "decay is 'step', allowed: ('cosine', 'linear')"),
        ({"lr": 0.0}, "lr is 0.0, allowed: above 0"),
        ({"lr": math.nan}, "lr is nan, allowed: above 0"),
        ({"weight_decay": -1e-9}, "weight_decay is -1e-09, allowed: at least 0"),
        ({"batch_size": 1}, "batch_size is 1, allowed: at least 2"),
        ({"warmup": 1.0}, "warmup is 1.0, allowed: in [0, 1)"),
        ({"warmup": -0.1}, "warmup is -0.1, allowed: in [0, 1)"),
        ({"clip_norm": -1.0}, "clip_norm is -1.0, allowed: at least 0"),
    ],
    ids=str,
)
def test_bad_values_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Optimisation(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("norm", ["batch", "group", "none"])
def test_kernels_and_matrices_are_decayed_norms_and_biases_are_not(
    optimizer: OptimizerName, norm: str
) -> None:
    """With gradients of zero a step does nothing but decay."""
    encoder = ConvEncoder(channels=1, size=8, width=4, norm=norm)  # type: ignore[arg-type]
    settings = Optimisation(optimizer=optimizer, lr=0.1, weight_decay=0.5)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.uniform_(0.5, 1)
    before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
    stepper = build_optimizer(encoder, settings)
    for parameter in encoder.parameters():
        parameter.grad = torch.zeros_like(parameter)
    stepper.step()
    decayed = set()
    for name, parameter in encoder.named_parameters():
        if torch.equal(parameter, before[name]):
            continue
        decayed.add(name)
        torch.testing.assert_close(parameter.detach(), before[name] * (1 - 0.1 * 0.5))
    kinds = nn.Conv2d | nn.Linear
    layers = (name for name, part in encoder.named_modules() if isinstance(part, kinds))
    assert decayed == {f"{name}.weight" for name in layers}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_frozen_parameters_are_left_out(optimizer: OptimizerName) -> None:
    layer = nn.Linear(3, 2)
    layer.weight.requires_grad_(False)
    stepper = build_optimizer(layer, Optimisation(optimizer=optimizer))
    held = [p for group in stepper.param_groups for p in group["params"]]
    assert len(held) == 1 and held[0] is layer.bias


COURSE = [0.1, 0.3, 0.2, 0.05, 0.01]  # a learning rate that changes, as in training
DECAY = 0.2


def test_sgd_against_steps_written_out() -> None:
    """Nesterov momentum 0.9 on the bare gradient, decay apart from it (Loshchilov and Hutter,
    2019, algorithm 1): the velocity never sees the decay.
    """
    module = nn.Module()
    module.matrix = nn.Parameter(torch.ones(3, 2))
    module.bias = nn.Parameter(torch.ones(2))
    stepper = build_optimizer(module, Optimisation(optimizer="sgd", weight_decay=DECAY))
    expected = [torch.ones(3, 2).double(), torch.ones(2).double()]
    velocity = [torch.zeros(3, 2).double(), torch.zeros(2).double()]
    for step, rate in enumerate(COURSE):
        for group in stepper.param_groups:
            group["lr"] = rate
        drawn = normal(3, 2, seed=step), normal(2, seed=step)
        module.matrix.grad, module.bias.grad = (gradient.clone() for gradient in drawn)
        stepper.step()
        for i, (gradient, decay) in enumerate(zip(drawn, (DECAY, 0.0), strict=True)):
            velocity[i] = 0.9 * velocity[i] + gradient
            shrunk = expected[i] * (1 - rate * decay)
            expected[i] = shrunk - rate * (gradient + 0.9 * velocity[i])
    for parameter, place in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.detach().double(), place, rtol=1e-5, atol=1e-6)
    # A checkpoint must hold the decay that was set.
    assert [group["weight_decay"] for group in stepper.param_groups] == [DECAY, 0.0]

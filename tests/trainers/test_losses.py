"""Every loss against a slow reference written from its paper, and against closed forms."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.trainers.small import check_slopes, normal
from trainers.losses import (
    align_uniform,
    barlow_twins,
    classification,
    nt_xent,
    supervised_contrastive,
)

TEMPERATURES = [0.05, 0.2, 1.0, 5.0]


def cosine(first: Tensor, second: Tensor) -> float:
    a, b = first.double().tolist(), second.double().tolist()
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def slow_supervised_contrastive(
    first: Tensor, second: Tensor, labels: Tensor, temperature: float
) -> float:
    """Khosla et al., 2020, eq. 2, averaged over the anchors."""
    rows = [*first, *second]
    names = labels.tolist() * 2
    total = 0.0
    for i in range(len(rows)):
        others = [a for a in range(len(rows)) if a != i]
        positives = [p for p in others if names[p] == names[i]]
        denominator = sum(math.exp(cosine(rows[i], rows[a]) / temperature) for a in others)
        logs = [
            math.log(math.exp(cosine(rows[i], rows[p]) / temperature) / denominator)
            for p in positives
        ]
        total -= sum(logs) / len(positives)
    return total / len(rows)


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_nt_xent_against_the_slow_reference(batch: int, temperature: float) -> None:
    first, second = normal(batch, 5), normal(batch, 5, seed=1)
    alone = torch.arange(batch)  # each image of a class of its own: Chen et al., 2020, eq. 1
    expected = slow_supervised_contrastive(first, second, alone, temperature)
    assert nt_xent(first, second, temperature=temperature).item() == pytest.approx(
        expected, rel=1e-5, abs=1e-5
    )


def test_a_row_of_zeros_leaves_nt_xent_finite() -> None:
    first, second = torch.zeros(4, 3, requires_grad=True), normal(4, 3)
    loss = nt_xent(first, second, temperature=0.05)
    loss.backward()
    assert loss.isfinite() and first.grad is not None and first.grad.isfinite().all()


@pytest.mark.parametrize("classes", [1, 2, 3, 8])
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_supervised_contrastive_against_the_slow_reference(
    classes: int, temperature: float
) -> None:
    first, second, labels = normal(8, 5), normal(8, 5, seed=1), torch.arange(8) % classes
    loss = supervised_contrastive(first, second, labels, temperature=temperature)
    expected = slow_supervised_contrastive(first, second, labels, temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("temperature", TEMPERATURES)
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_classification_is_torchs_cross_entropy_of_warmer_logits(
    temperature: float, smoothing: float
) -> None:
    logits, labels = normal(7, 4), torch.tensor([0, 1, 2, 3, 3, 0, 1])
    loss = classification(logits, labels, temperature=temperature, label_smoothing=smoothing)
    expected = F.cross_entropy(logits / temperature, labels, label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)


def slow_barlow_twins(first: Tensor, second: Tensor, redundancy: float) -> float:
    """Zbontar et al., 2021, eq. 1 and 2: C as a cosine of centred columns; per dimension."""
    total = 0.0
    for i in range(first.shape[1]):
        for j in range(first.shape[1]):
            one, other = first[:, i].double(), second[:, j].double()
            correlation = cosine(one - one.mean(), other - other.mean())
            total += (1 - correlation) ** 2 if i == j else redundancy * correlation**2
    return total / first.shape[1]


@pytest.mark.parametrize("redundancy", [0.0, 0.005, 0.02, 1.0])
def test_barlow_twins_against_its_equations(redundancy: float) -> None:
    first = normal(12, 5) * torch.arange(1, 6) + 3
    second = first + 2 * normal(12, 5, seed=1)
    expected = slow_barlow_twins(first, second, redundancy)
    assert barlow_twins(first, second, redundancy=redundancy).item() == pytest.approx(
        expected, rel=1e-3
    )


def slow_align_uniform(first: Tensor, second: Tensor) -> float:
    """Wang and Isola, 2020, section 4.1, alpha 2 and t 2: pair by pair, on the sphere."""

    def distance(one: Tensor, other: Tensor) -> float:
        one, other = one.double() / one.double().norm(), other.double() / other.double().norm()
        return float((one - other).square().sum())

    def uniformity(rows: Tensor) -> float:
        pairs = [
            math.exp(-2 * distance(rows[i], rows[j]))
            for i in range(len(rows))
            for j in range(i + 1, len(rows))
        ]
        return math.log(sum(pairs) / len(pairs))

    aligned = sum(distance(a, b) for a, b in zip(first, second, strict=True)) / len(first)
    return aligned + (uniformity(first) + uniformity(second)) / 2


def test_align_uniform_against_its_definition() -> None:
    first = normal(12, 5) + 0.3
    second = 4 * (first + normal(12, 5, seed=1))
    found = align_uniform(first, second).item()
    assert found == pytest.approx(slow_align_uniform(first, second), rel=1e-5)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "nt_xent": lambda a, b: nt_xent(a, b, temperature=0.5),
    "supervised_contrastive": lambda a, b: supervised_contrastive(
        a, b, torch.arange(len(a)) % 3, temperature=0.5
    ),
    "classification": lambda a, b: classification(
        a + b, torch.arange(len(a)) % 3, temperature=0.5, label_smoothing=0.1
    ),
    "barlow_twins": barlow_twins,
    "align_uniform": align_uniform,
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_losses_are_float32_scalars_under_bfloat16(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    """Autocast changes nothing, and rows in bfloat16 give what the same rows in float32 give."""
    first, second = normal(6, 4).bfloat16(), normal(6, 4, seed=1).bfloat16()
    exact = loss(first.float(), second.float())
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(first.float(), second.float())
        if loss is not LOSSES["classification"]:  # it adds its two arguments, in bfloat16
            torch.testing.assert_close(loss(first, second), exact)
    assert mixed.dtype == exact.dtype == torch.float32
    assert mixed.shape == exact.shape == ()
    torch.testing.assert_close(mixed, exact)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradients_against_finite_differences(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    check_slopes(loss, normal(6, 4), normal(6, 4, seed=1))


@pytest.mark.parametrize("temperature", [0.0, -0.1, math.nan])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature: float) -> None:
    rows, labels = torch.eye(3), torch.arange(3)
    message = re.escape(f"temperature is {temperature}, it must be above 0")
    calls = ((nt_xent, rows, rows), (supervised_contrastive, rows, rows, labels))
    for loss, *given in (*calls, (classification, rows, labels)):
        with pytest.raises(ValueError, match=message):
            loss(*given, temperature=temperature)

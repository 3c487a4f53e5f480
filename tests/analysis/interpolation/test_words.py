"""What is said of walks, whichever way their measures fall."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.interpolation.measures import Interpolation, Paths, Real, middle_is_usual
from analysis.interpolation.words import answer, explain
from analysis.records import Findings

MNIST, CIFAR = "mnist_autoencoder", "cifar_autoencoder"
PAIRS, STEPS = 40, 10
MEASURES = "entropy", "nearest", "sparsity", "ghosting", "mixed_nearest", "mixed_entropy"


def paths(**middles: float) -> Paths:
    """Forty walks that are alike: every measure 1 at the ends, as given between, else 1.

    Entropy and ghosting are 0.1 by default; a small spread keeps the rank test defined.
    """
    values = {"entropy": 0.1, "ghosting": 0.1, "mixed_entropy": 0.5, **middles}
    jitter = 1 + 0.001 * np.random.default_rng(0).uniform(size=(PAIRS, 1))
    fields: dict[str, Any] = {}
    for name in MEASURES:
        made = np.full((PAIRS, STEPS), 0.1 if "entropy" in name else 1.0)
        made[:, 1:-1] = values.get(name, 1.0)
        fields[name] = made * jitter
    fields["ghosting"][:, [0, -1]] = np.nan
    predicted = np.repeat([[0] * 5 + [1] * 5], PAIRS, axis=0)
    return Paths(
        rows=np.arange(2 * PAIRS).reshape(PAIRS, 2),
        predicted=predicted,
        confidence=np.full((PAIRS, STEPS), 0.9),
        **fields,
    )


def made_up(between: Paths) -> Interpolation:
    """Walks within classes as by default; real images have every measure about 1."""
    real = 1 + np.linspace(-0.1, 0.1, 50)
    pictures = np.random.default_rng(0).uniform(size=(1, STEPS, 1, 6, 6))
    return Interpolation(
        shown=between,
        decoded=pictures,
        mixed=pictures,
        labels=np.array([[4, 7]]),
        between=between,
        within=paths(),
        real=Real(nearest=real, entropy=real, sparsity=real),
        classes=tuple("0123456789"),
        training=1000,
    )


def test_the_middle_is_of_two_steps_or_of_one() -> None:
    walks = replace(paths(), nearest=np.tile(np.arange(STEPS, dtype=float), (PAIRS, 1)))
    assert walks.middle("nearest").tolist() == [4.5] * PAIRS
    assert walks.median_middle("nearest") == 4.5
    arrays = "predicted", "confidence", *MEASURES
    odd = replace(walks, **{name: getattr(walks, name)[:, :5] for name in arrays})
    assert odd.middle("nearest").tolist() == [2.0] * PAIRS


# What is said ------------------------------------------------------------------------------------


def test_middles_as_usual_as_real_images_are_said_to_be(findings: Findings) -> None:
    text = answer(findings.records[MNIST], made_up(paths()))
    assert "**Do the middles look like digits? Mostly yes.**" in text
    assert "100 % pass three tests at once" in text
    assert "real pictures" in answer(findings.records[CIFAR], made_up(paths()))


@pytest.mark.parametrize("middles", [{"nearest": 2.0}, {"entropy": 2.0}, {"ghosting": 0.9}])
def test_failing_any_test_is_no(findings: Findings, middles: dict[str, float]) -> None:
    found = made_up(paths(**middles))
    assert not middle_is_usual(found.between, found.real).any()
    text = answer(findings.records[MNIST], found)
    assert "Mostly not." in text and "0 % pass three tests" in text
    assert "Of walks within one class 100 % pass." in text


def test_some_is_some(findings: Findings) -> None:
    walks = paths()
    nearest = walks.nearest.copy()
    nearest[::2] = 5
    text = answer(findings.records[MNIST], made_up(replace(walks, nearest=nearest)))
    assert "Some do." in text and "50 % pass three tests" in text


@pytest.mark.parametrize(("sparsity", "emptier"), [(1.5, True), (0.8, False), (1.00001, False)])
def test_the_explanation_is_tested_by_how_empty_the_space_is(
    sparsity: float, emptier: bool
) -> None:
    text = explain(made_up(paths(sparsity=sparsity)))
    assert f"is at distance {sparsity:.2f} from the middles between classes and 1.00" in text
    assert ("is not shown to be emptier" not in text) == emptier

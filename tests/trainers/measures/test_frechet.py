"""The Frechet distance: closed forms, and scipy's matrix root as a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

from trainers.measures.frechet import frechet_distance

RNG = np.random.default_rng(0)
ONE = RNG.normal(size=(300, 4)) @ RNG.normal(size=(4, 4))
OTHER = RNG.normal(size=(200, 4)) + 1


def test_it_is_that_of_the_formula() -> None:
    first, second = np.cov(ONE, rowvar=False), np.cov(OTHER, rowvar=False)
    root = linalg.sqrtm(first @ second).real
    means = np.square(ONE.mean(0) - OTHER.mean(0)).sum()
    expected = means + np.trace(first + second - 2 * root)
    assert frechet_distance(ONE, OTHER) == pytest.approx(expected)
    assert frechet_distance(OTHER, ONE) == pytest.approx(expected)


def test_constant_features_are_no_fault() -> None:
    flat = np.zeros((10, 3))
    assert frechet_distance(flat, flat + 1) == pytest.approx(3)


@pytest.mark.parametrize("other", [OTHER[:1], OTHER[:, :3]])
def test_what_cannot_be_compared(other: np.ndarray) -> None:
    with pytest.raises(ValueError, match="features are"):
        frechet_distance(ONE, other)

"""Intervals and tests against values worked out by hand and by scipy, and how they are written."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from search.cells.statistics import (
    Estimate,
    accuracy,
    difference,
    estimate,
    holm,
    on_images,
    p_text,
    welch,
)


def test_the_interval_is_students() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.02, 6).tolist()
    found = estimate(values)
    expected = stats.t.interval(0.95, 5, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.mean == pytest.approx(np.mean(values)) and found.n == 6


def test_one_value_has_no_interval_and_equal_ones_have_one_of_no_width() -> None:
    assert estimate([0.7]) == Estimate(mean=0.7, low=None, high=None, n=1)
    assert estimate([0.5, 0.5, 0.5]) == Estimate(mean=0.5, low=0.5, high=0.5, n=3)
    with pytest.raises(ValueError, match="no values"):
        estimate([])


# Seeds and images ----------------------------------------------------------------------------


def hits(patterns: str) -> np.ndarray:
    return np.array([[letter == "1" for letter in pattern] for pattern in patterns.split()])


def test_the_variances_over_seeds_and_over_images_are_added() -> None:
    """By hand. Accuracies 6/8 and 5/8: variance 1/128, of their mean 1/256.

    The images are right in 2, 2, 2, 2, 2, 1, 0 and 0 of 2: variance 47/224, of which seeds make
    1/2 / 8 / 2 = 1/32; of the mean of eight 5/224. t(0.975) is 12.7062 with 1 degree of freedom
    and 2.364624 with 7.
    """
    found = accuracy(hits("11111100 11111000"))
    half = math.sqrt(12.7062**2 / 256 + 2.364624**2 * 5 / 224)
    assert (found.mean, found.n) == (0.6875, 2)
    assert (found.low, found.high) == pytest.approx((0.6875 - half, 0.6875 + half), abs=1e-5)


def test_a_difference_in_every_image_has_a_p_that_is_never_nought() -> None:
    first, second = np.ones((3, 5000), bool), np.zeros((3, 5000), bool)
    found, p = difference(first, second)
    assert found.mean == 1 and found.low is not None and found.low > 0.99
    assert p is not None and 0 < p < 1e-6, "never nought"


def test_no_difference_at_all_has_p_1_and_still_a_doubt() -> None:
    same = hits("1100 1100")
    found, p = difference(same, same)
    assert (found.mean, p) == (0, 1)
    assert found.low is not None and found.high is not None and found.low == -found.high < 0


def test_over_seeds_alone_it_is_welchs_interval() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(0.8, 0.01, 5), rng.normal(0.79, 0.02, 4)
    found = welch(first.tolist(), second.tolist())
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.n == 4


def test_one_seed_has_neither_interval_nor_test() -> None:
    assert accuracy(hits("110")).low is None
    found, p = difference(hits("110"), hits("100 110"))
    assert (found.low, p, found.n) == (None, None, 1)
    assert welch([0.5], [0.25, 0.5]).low is None


def test_hits_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 2\)"):
        difference(hits("110 100"), hits("11 10"))
    with pytest.raises(ValueError, match="no values"):
        welch([], [0.1])
    with pytest.raises(ValueError, match="are needed"):
        accuracy(np.zeros((0, 3), bool))


def test_two_single_trainings_are_compared_on_their_images_alone() -> None:
    one, other = np.ones(100, bool), np.arange(100) < 85
    assert on_images(one, other) < 0.001
    assert on_images(one, np.arange(100) < 99) > 0.05
    assert on_images(one, one) == 1


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, 5, 10])
@pytest.mark.parametrize("spread", [0.0, 0.15, 0.5])
def test_95_percent_are_95_percent(count: int, spread: float) -> None:
    """For other seeds and other images, in 2,000 made-up experiments of 1,000 test images.

    Most images are easy and some are anything; a seed moves all logits by a normal number of
    `spread` (0.15: 0.6 points of accuracy). The second method is better by 0.3 logits. Seeded:
    counts, not chances.
    """
    rng = np.random.default_rng(count)
    covered = [0, 0]

    def logits(number: int) -> np.ndarray:
        easy = rng.random(number) < 0.8
        return np.where(easy, rng.normal(4, 1, number), rng.normal(0, 2, number))

    def chances(of: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-of))

    def trained(of: np.ndarray, better: float) -> np.ndarray:
        moved = of + better + rng.normal(0, spread, (count, 1))
        return rng.random(moved.shape) < chances(moved)

    many, seeds = logits(400_000), rng.normal(0, spread, 400_000)
    truth = [chances(many + better + seeds).mean() for better in (0.0, 0.3)]
    experiments = 2000
    for _ in range(experiments):
        of = logits(1000)
        first, second = trained(of, 0.0), trained(of, 0.3)
        one = accuracy(first)
        both, p = difference(second, first)
        assert one.low is not None and one.high is not None and p is not None
        assert both.low is not None and both.high is not None
        covered[0] += one.low <= truth[0] <= one.high
        covered[1] += both.low <= truth[1] - truth[0] <= both.high
        assert (p < 0.05) == (both.low > 0 or both.high < 0)
    shares = [each / experiments for each in covered]
    assert all(0.94 <= share <= 0.975 for share in shares), shares


# Many comparisons ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.02], [0.02]),
        ([], []),
        ([0.04, 0.01, 0.01], [0.04, 0.03, 0.03]),
        ([0.6, 0.9], [1.0, 1.0]),
        ([0.02, 0.021, 0.022], [0.06, 0.06, 0.06]),
    ],
)
def test_holms_correction_by_hand(given: list[float], adjusted: list[float]) -> None:
    assert holm(given) == pytest.approx(adjusted)


# Words ------------------------------------------------------------------------------------------


def test_a_mean_is_written_with_half_of_its_interval() -> None:
    share = Estimate(mean=0.98214, low=0.97914, high=0.98514, n=5)
    assert share.text(2, factor=100) == "98.21 ± 0.30"
    assert share.text(2, factor=100, sign="+") == "+98.21 ± 0.30"
    assert Estimate(mean=0.98214, low=None, high=None, n=1).text(2, factor=100) == "98.21"
    assert Estimate(mean=-1.25, low=-1.5, high=-1.0, n=2).text(2) == "-1.25 ± 0.25"


def test_a_p_value_is_written_with_four_digits() -> None:
    written = [p_text(p) for p in (None, 0.00009, 0.0001, 0.25)]
    assert written == ["unknown", "< 0.0001", "0.0001", "0.2500"]

"""Intervals, paired tests, Holm's correction: against SciPy and hand-worked values; the words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from search.finals.comparisons import (
    Comparison,
    Estimate,
    compare,
    correct,
    estimate,
    holm,
    mcnemar,
    paired_proportions,
    paired_t,
    verdict,
)

# Means ---------------------------------------------------------------------------------------


def test_the_interval_is_students() -> None:
    values = np.random.default_rng(0).normal(0.8, 0.02, 6).tolist()
    found = estimate(values)
    expected = stats.t.interval(0.95, 5, loc=np.mean(values), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.mean == pytest.approx(np.mean(values)) and found.n == 6


def test_the_interval_by_hand() -> None:
    """t(0.975, 2) = 4.302653; the spread of 1, 2, 3 is 1, so half is 4.302653 / sqrt(3)."""
    found = estimate([1.0, 2.0, 3.0])
    assert found.mean == 2 and found.n == 3
    assert found.low == pytest.approx(2 - 2.484138, abs=1e-6)
    assert found.high == pytest.approx(2 + 2.484138, abs=1e-6)


def test_one_value_has_no_interval() -> None:
    assert estimate([0.7]) == Estimate(mean=0.7, low=None, high=None, n=1)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert estimate([0.5, 0.5, 0.5]) == Estimate(mean=0.5, low=0.5, high=0.5, n=3)


def test_no_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        estimate([])


# Paired images -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (0, 5, 2 / 2**5),
        (6, 0, 2 / 2**6),
        (10, 2, 2 * (1 + 12 + 66) / 2**12),
        (5, 5, 1.0),
        (8, 9, 1.0),
    ],
)
def test_mcnemars_exact_p_by_hand(only_first: int, only_second: int, p: float) -> None:
    """Twice the binomial tail with chance 1/2, at most 1."""
    assert mcnemar(only_first, only_second) == pytest.approx(p, rel=1e-12)
    assert mcnemar(only_second, only_first) == pytest.approx(p, rel=1e-12)


def test_the_interval_of_paired_proportions_by_hand() -> None:
    """10 and 2 of 98 become 10.5 and 2.5 of 100: 0.08, variance (13 - 0.64) / 10,000."""
    low, high = paired_proportions(10, 2, 98)
    half = 1.959964 * math.sqrt(12.36) / 100
    assert (low, high) == pytest.approx((0.08 - half, 0.08 + half), abs=1e-8)
    assert paired_proportions(2, 10, 98) == pytest.approx((-high, -low))


def test_many_images_give_walds_interval() -> None:
    """1,600 voters asked twice (Agresti, Categorical Data Analysis, 10.1.1): 0.04 +- 0.0187."""
    low, high = paired_proportions(150, 86, 1600)
    half = 1.959964 * math.sqrt(150 + 86 - 64**2 / 1600) / 1600
    assert (low, high) == pytest.approx((0.04 - half, 0.04 + half), abs=1.5e-4)


def test_no_discordant_image_still_leaves_a_doubt() -> None:
    low, high = paired_proportions(0, 0, 100)
    assert low == -high and 0.01 < high < 0.03


@pytest.mark.parametrize("images", [1, 2, 3])
def test_the_interval_stays_among_the_differences_that_can_be(images: int) -> None:
    assert paired_proportions(images, 0, images)[1] == 1
    assert paired_proportions(0, images, images)[0] == -1


@pytest.mark.parametrize(
    ("images", "first", "second"), [(40, 0.05, 0.02), (60, 0.1, 0.1), (60, 0.03, 0.3)]
)
def test_the_interval_covers_the_truth(images: int, first: float, second: float) -> None:
    """Counted over every table that can come up, each with its exact probability: no sampling.

    In the first of these cases a plain Wald interval covers only 0.864.
    """
    covered = 0.0
    for only_first in range(images + 1):
        for only_second in range(images + 1 - only_first):
            counts = [only_first, only_second, images - only_first - only_second]
            low, high = paired_proportions(only_first, only_second, images)
            if low <= first - second <= high:
                covered += stats.multinomial.pmf(
                    counts, images, [first, second, 1 - first - second]
                )
    assert 0.945 < covered < 0.995


# Paired seeds --------------------------------------------------------------------------------


def test_the_paired_test_is_scipys() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(0.8, 0.01, 5), rng.normal(0.79, 0.01, 5)
    expected = stats.ttest_rel(first, second).pvalue
    assert paired_t((first - second).tolist()) == pytest.approx(expected)
    assert paired_t((second - first).tolist()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("differences", "p"),
    [([], None), ([0.1], None), ([0.0, 0.0, 0.0], 1.0), ([0.25, 0.25], 0.0), ([-0.5, 0.5], 1.0)],
)
def test_differences_without_a_spread_or_a_second_seed(
    differences: list[float], p: float | None
) -> None:
    assert paired_t(differences) == p


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


def test_holms_correction_follows_its_p_value() -> None:
    given = np.random.default_rng(2).uniform(0, 0.3, 7).tolist()
    adjusted = holm(given)
    assert holm(given[::-1]) == adjusted[::-1]
    assert all(p <= q <= min(1, 7 * p) for p, q in zip(given, adjusted, strict=True))
    assert sorted(adjusted) == [adjusted[i] for i in np.argsort(given)], "never falling"


# Comparing two methods -----------------------------------------------------------------------


def hits(pattern: str) -> np.ndarray:
    return np.array([letter == "1" for letter in pattern])


def test_a_comparison_from_its_hits_and_accuracies() -> None:
    made = compare(
        "one",
        "other",
        accuracies=([0.75, 0.8, 0.7], [0.5, 0.6, 0.6]),
        hits=(hits("11101100"), hits("10010100")),
        images_seed=2,
    )
    assert (made.first, made.second, made.images_seed) == ("one", "other", 2)
    assert (made.only_first, made.only_second) == (3, 1)
    assert made.p_images == mcnemar(3, 1)
    assert made.image_difference == paired_proportions(3, 1, 8)
    expected = estimate([0.25, 0.2, 0.1])
    assert made.difference.n == 3
    assert made.difference.mean == pytest.approx(expected.mean)
    assert made.difference.low == pytest.approx(expected.low)
    assert made.p_seeds == pytest.approx(paired_t([0.25, 0.2, 0.1]))
    assert made.p_seeds_holm is None and made.p_images_holm is None


def test_of_unequally_many_seeds_the_first_are_paired() -> None:
    either = hits("1010")
    made = compare("a", "b", accuracies=([0.5, 0.7, 0.9], [0.25, 0.25]), hits=(either, either))
    assert made.difference.n == 2
    assert made.difference.mean == pytest.approx(0.35)
    assert (made.only_first, made.only_second, made.p_images) == (0, 0, 1.0)


def test_different_images_or_no_seeds_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"a saw \(3,\) test images, b \(4,\)"):
        compare("a", "b", accuracies=([0.5], [0.5]), hits=(hits("101"), hits("1010")))
    with pytest.raises(ValueError, match="no values"):
        compare("a", "b", accuracies=([], []), hits=(hits("1"), hits("1")))


def made_up(
    differences: Sequence[float], *, only_first: int = 0, only_second: int = 0, images: int = 1000
) -> Comparison:
    return Comparison(
        first="A",
        second="B",
        difference=estimate(differences),
        p_seeds=paired_t(differences),
        only_first=only_first,
        only_second=only_second,
        image_difference=paired_proportions(only_first, only_second, images),
        p_images=mcnemar(only_first, only_second),
    )


def test_each_test_is_corrected_over_its_own_comparisons() -> None:
    """One seed has no test over seeds, so two of these three share that correction."""
    given = [
        made_up([0.1, 0.12], only_first=30, only_second=10),
        made_up([0.1], only_first=50, only_second=10),
        made_up([0.1, 0.3], only_first=20, only_second=20),
    ]
    corrected = correct(given)
    seeds = holm([given[0].p_seeds or 0, given[2].p_seeds or 0])
    assert [c.p_seeds_holm for c in corrected] == [seeds[0], None, seeds[1]]
    assert [c.p_images_holm for c in corrected] == holm([c.p_images for c in given])
    cleared = [replace(c, p_seeds_holm=None, p_images_holm=None) for c in corrected]
    assert cleared == given, "nothing else changes"
    assert correct([]) == []


# The words -----------------------------------------------------------------------------------


STEADY = [0.02, 0.021, 0.019, 0.02, 0.0201]
UNSTEADY = [0.09, -0.06, 0.07, -0.05, 0.05]
MANY = {"only_first": 60, "only_second": 20}
FEW = {"only_first": 22, "only_second": 20}
AGAINST = {"only_first": 20, "only_second": 60}


@pytest.mark.parametrize(
    ("differences", "counts", "begins"),
    [
        (STEADY, MANY, "A is better than B by 2.00 points (95 % interval +1.9"),
        ([-d for d in STEADY], AGAINST, "B is better than A by 2.00 points (95 % interval +1.9"),
        (
            UNSTEADY,
            MANY,
            "A is ahead of B by 2.00 points on these images, not shown to hold over seeds (",
        ),
        (
            [0.04],
            MANY,
            "A is ahead of B by 4.00 points on these images, one seed says nothing of others (",
        ),
        (
            [-0.04],
            AGAINST,
            "B is ahead of A by 4.00 points on these images, one seed says nothing of others (",
        ),
        (
            STEADY,
            FEW,
            "A is ahead of B by 2.00 points over seeds, but not shown on the paired images (",
        ),
        (
            STEADY,
            AGAINST,
            "A is ahead of B by 2.00 points over seeds, but B on the paired images (",
        ),
        (UNSTEADY, FEW, "no difference shown between A and B: 2.00 points ("),
        (
            UNSTEADY,
            AGAINST,
            "no difference shown between A and B over seeds: 2.00 points; "
            "B is ahead on the paired images (",
        ),
        ([0.002], FEW, "no difference shown between A and B: 0.20 points ("),
    ],
)
def test_the_verdict_in_words(
    differences: list[float], counts: dict[str, int], begins: str
) -> None:
    [corrected] = correct([made_up(differences, **counts)])
    assert verdict(corrected).startswith(begins)


def test_the_verdict_shows_the_interval_and_both_tests() -> None:
    [several] = correct([made_up([0.01, 0.02, 0.03], only_first=10, only_second=2)])
    assert verdict(several) == (
        "A is ahead of B by 2.00 points on these images, not shown to hold over seeds "
        "(95 % interval -0.48 to +4.48, 3 seeds, p 0.0742; McNemar p 0.0386)"
    )
    [one] = correct([made_up([0.02], only_first=40, only_second=2)])
    assert verdict(one).endswith("(no interval from one seed; McNemar p < 0.0001)")


def test_the_verdict_counts_the_other_comparisons() -> None:
    """Ten and two of twelve are p = 0.039: shown alone, not shown among three."""
    given = made_up([0.02], only_first=10, only_second=2)
    assert "on these images" in verdict(correct([given])[0])
    assert verdict(correct([given] * 3)[0]).startswith("no difference shown")


def test_without_corrected_tests_nothing_is_shown() -> None:
    said = verdict(made_up(STEADY, **MANY))
    assert said.startswith("no difference shown") and said.endswith("McNemar p unknown)")


def test_a_p_of_exactly_a_twentieth_is_not_enough() -> None:
    [corrected] = correct([made_up(STEADY, **MANY)])
    assert "is better than" in verdict(corrected)
    assert "over seeds, but" in verdict(replace(corrected, p_images_holm=0.05))
    assert "on these images, not" in verdict(replace(corrected, p_seeds_holm=0.05))

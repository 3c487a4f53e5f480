"""Means with intervals, paired tests between two methods, and the words for their outcome."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
SIGNIFICANT = 0.05


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds with its 95 % interval (Student's t); no interval from one seed."""

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two methods, paired over seeds and over test images.

    Attributes:
        first, second: their names.
        difference: of the test accuracies, first - second, over seeds.
        p_seeds: paired t-test over seeds, two-sided; None from one seed.
        only_first, only_second: test images that just one of them classifies rightly (both
            trained with the same seed, see `images_seed`).
        image_difference: (low, high), 95 % interval of the difference over the images.
        p_images: McNemar's exact test, two-sided.
        images_seed: number of the seed whose predictions were paired, 1 for the first.
        p_seeds_holm, p_images_holm: corrected for the comparisons made together.
    """

    first: str
    second: str
    difference: Estimate
    p_seeds: float | None
    only_first: int
    only_second: int
    image_difference: tuple[float, float]
    p_images: float
    images_seed: int = 1
    p_seeds_holm: float | None = None
    p_images_holm: float | None = None


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and t-interval.

    Raises:
        ValueError: no values.
    """
    if not values:
        raise ValueError("no values to take a mean of")
    mean, n = statistics.fmean(values), len(values)
    if n == 1:
        return Estimate(mean=mean, low=None, high=None, n=1)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * statistics.stdev(values) / math.sqrt(n)
    return Estimate(mean=mean, low=mean - half, high=mean + half, n=n)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value from the discordant counts (McNemar, 1947): a binomial with 1/2."""
    discordant = only_first + only_second
    if discordant == 0:
        return 1.0
    return float(stats.binomtest(only_first, discordant, 0.5).pvalue)


def paired_proportions(only_first: int, only_second: int, images: int) -> tuple[float, float]:
    """95 % interval of the difference of two paired proportions.

    Wald's with half a count added to both discordant cells (Agresti and Min, 2005), which keeps
    its coverage where few images are discordant.
    """
    first, second, total = only_first + 0.5, only_second + 0.5, images + 2
    difference = (first - second) / total
    spread = math.sqrt(first + second - (first - second) ** 2 / total) / total
    half = stats.norm.ppf((1 + CONFIDENCE) / 2) * spread
    return max(-1.0, difference - half), min(1.0, difference + half)


def paired_t(differences: Sequence[float]) -> float | None:
    """Two-sided p-value of mean zero; None from one difference."""
    if len(differences) < 2:
        return None
    if len(set(differences)) == 1:  # no spread at all: the test has no denominator
        return 1.0 if differences[0] == 0 else 0.0
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm, 1979): the smallest times m, the next times m - 1, never falling."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def compare(
    first: str,
    second: str,
    *,
    accuracies: tuple[Sequence[float], Sequence[float]],
    hits: tuple[np.ndarray, np.ndarray],
    images_seed: int = 1,
) -> Comparison:
    """Compare two methods.

    Args:
        first, second: their names.
        accuracies: test accuracies by seed, the same seeds in the same order; of unequally many
            the first ones are paired.
        hits: (N,) bool for each, whether a test image was classified rightly.
        images_seed: number of the seed that `hits` come from.

    Raises:
        ValueError: the hits are of different images, or there are no seeds.
    """
    if hits[0].shape != hits[1].shape:
        raise ValueError(f"{first} saw {hits[0].shape} test images, {second} {hits[1].shape}")
    paired = list(zip(*accuracies, strict=False))
    differences = [one - other for one, other in paired]
    only_first = int((hits[0] & ~hits[1]).sum())
    only_second = int((hits[1] & ~hits[0]).sum())
    return Comparison(
        first=first,
        second=second,
        difference=estimate(differences),
        p_seeds=paired_t(differences),
        only_first=only_first,
        only_second=only_second,
        image_difference=paired_proportions(only_first, only_second, len(hits[0])),
        p_images=mcnemar(only_first, only_second),
        images_seed=images_seed,
    )


def correct(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same with Holm's correction over all of them, for each of the two tests."""
    images = holm([c.p_images for c in comparisons])
    with_seeds = [i for i, c in enumerate(comparisons) if c.p_seeds is not None]
    seeds = holm([comparisons[i].p_seeds or 0.0 for i in with_seeds])
    by_index = dict(zip(with_seeds, seeds, strict=True))
    return [
        replace(comparison, p_images_holm=images[i], p_seeds_holm=by_index.get(i))
        for i, comparison in enumerate(comparisons)
    ]


def verdict(comparison: Comparison) -> str:
    """One sentence, computed from the corrected tests."""
    c = comparison
    difference, n = c.difference, c.difference.n
    ahead, behind = (c.first, c.second) if difference.mean >= 0 else (c.second, c.first)
    points = f"{100 * abs(difference.mean):.2f} points"
    over_seeds = c.p_seeds_holm is not None and c.p_seeds_holm < SIGNIFICANT
    over_images = c.p_images_holm is not None and c.p_images_holm < SIGNIFICANT
    agreement = (c.only_first - c.only_second) * difference.mean
    interval = _interval(difference)
    tests = f"{interval}; McNemar p {_p(c.p_images_holm)}"
    if c.p_seeds_holm is not None:
        tests = f"{interval}, {n} seeds, p {_p(c.p_seeds_holm)}; McNemar p "
        tests += _p(c.p_images_holm)
    if over_images and over_seeds and agreement > 0:
        return f"{ahead} is better than {behind} by {points} ({tests})"
    if over_images and agreement > 0:
        why = "one seed says nothing of others" if n == 1 else "not shown to hold over seeds"
        return f"{ahead} is ahead of {behind} by {points} on these images, {why} ({tests})"
    on_images = c.first if c.only_first > c.only_second else c.second
    if over_seeds:
        but = (
            f"{on_images} on the paired images" if over_images else "not shown on the paired images"
        )
        return f"{ahead} is ahead of {behind} by {points} over seeds, but {but} ({tests})"
    neither = f"no difference shown between {c.first} and {c.second}"
    if over_images:  # which say the other way than the mean over seeds
        return (
            f"{neither} over seeds: {points}; {on_images} is ahead on the paired images ({tests})"
        )
    return f"{neither}: {points} ({tests})"


def _interval(difference: Estimate) -> str:
    """Of the one that is ahead over the one that is behind, as the sentence says it."""
    if difference.low is None or difference.high is None:
        return "no interval from one seed"
    ends = (difference.low, difference.high)
    low, high = ends if difference.mean >= 0 else (-ends[1], -ends[0])
    return f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}"


def _p(value: float | None) -> str:
    if value is None:
        return "unknown"
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"

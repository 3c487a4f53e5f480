"""Means with intervals, and tests of differences."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

CONFIDENCE = 0.95
SIGNIFICANT = 0.05
SMALLEST_P = 1e-12


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over seeds with its 95 % interval (Student's t); no interval from one seed."""

    mean: float
    low: float | None
    high: float | None
    n: int

    def text(self, digits: int, *, factor: float = 1, sign: str = "") -> str:
        """`98.21 ± 0.30`: the mean and half of the interval, which one seed does not have.

        Args:
            factor: 100 for percent and points.
            sign: `+` for a difference.
        """
        mean = f"{factor * self.mean:{sign}.{digits}f}"
        if self.high is None:
            return mean
        return f"{mean} ± {factor * (self.high - self.mean):.{digits}f}"


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


def accuracy(hits: np.ndarray) -> Estimate:
    """Mean accuracy; its interval is for other seeds and other test images.

    The variance over seeds and that over images are added, as in an analysis of variance of two
    crossed factors.

    Args:
        hits: (seeds, images) bool, whether the training with that seed was right.

    Raises:
        ValueError: no hits.
    """
    if hits.ndim != 2 or not hits.size:
        raise ValueError(f"hits of shape {hits.shape}: (seeds, images) are needed")
    mean, n = float(hits.mean()), len(hits)
    if n == 1:
        return Estimate(mean=mean, low=None, high=None, n=1)
    seeds = float(hits.mean(1).var(ddof=1)) / n, n - 1
    half, _ = _spread([seeds, (_of_images(hits.mean(0), hits), hits.shape[1] - 1)])
    return Estimate(mean=mean, low=mean - half, high=mean + half, n=n)


def difference(first: np.ndarray, second: np.ndarray) -> tuple[Estimate, float | None]:
    """Difference of two mean accuracies, first - second, and its two-sided p-value.

    Welch's t with a third variance, over the test images, which are the same for both. Seeds are
    no pairs: different networks start from one seed with nothing in common.

    Args:
        first, second: (seeds, images) bool, of the same images; seeds may be unequally many.

    Returns:
        The estimate (`n` is the smaller number of seeds), and p; without interval and p if one of
        them has one seed.

    Raises:
        ValueError: the images are not equally many, or there are none.
    """
    if first.shape[1:] != second.shape[1:] or not (first.size and second.size):
        raise ValueError(f"hits of shapes {first.shape} and {second.shape}")
    by_image = first.mean(0) - second.mean(0)
    mean, n = float(by_image.mean()), min(len(first), len(second))
    if n == 1:
        return Estimate(mean=mean, low=None, high=None, n=1), None
    seeds = _together(first.mean(1), second.mean(1))
    images = _of_images(by_image, first, second), len(by_image) - 1
    half, p_of = _spread([seeds, images])
    return Estimate(mean=mean, low=mean - half, high=mean + half, n=n), p_of(mean)


def on_images(first: np.ndarray, second: np.ndarray) -> float:
    """Two-sided p-value that two single trainings are as good on other images: not for other seeds.

    Args:
        first, second: (images,) bool, of the same images.
    """
    by_image = first.astype(float) - second
    _, p_of = _spread([(_of_images(by_image), len(by_image) - 1)])
    return p_of(float(by_image.mean()))


def welch(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Difference of two means over seeds, first - second, with Welch's interval.

    Raises:
        ValueError: no values.
    """
    if not (first and second):
        raise ValueError("no values to take a difference of")
    mean, n = statistics.fmean(first) - statistics.fmean(second), min(len(first), len(second))
    if n == 1:
        return Estimate(mean=mean, low=None, high=None, n=1)
    half, _ = _spread([_together(np.array(first), np.array(second))])
    return Estimate(mean=mean, low=mean - half, high=mean + half, n=n)


def _together(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Variance of the difference of two means, and its degrees of freedom (Welch, 1947)."""
    each = [(float(one.var(ddof=1)) / len(one), len(one) - 1) for one in (first, second)]
    whole = sum(part for part, _ in each)
    squares = sum(part**2 / freedom for part, freedom in each)
    return whole, whole**2 / squares if squares else 1.0


def _of_images(by_image: np.ndarray, *hits: np.ndarray) -> float:
    """Variance of the mean over images, without what seeds make of each image: seeds count that.

    Half an image remains where all are alike.

    Args:
        by_image: (images,) the mean of each over seeds, or a difference of such means.
        hits: (seeds, images), what it was made from; nothing from one seed.
    """
    own = sum(float(one.var(0, ddof=1).mean()) / len(one) for one in hits)
    count = len(by_image)
    return max((float(by_image.var(ddof=1)) - own) / count, (0.5 / count) ** 2)


def _spread(parts: Sequence[tuple[float, float]]) -> tuple[float, Callable[[float], float]]:
    """(half of the interval, mean -> p of a mean of zero) from (variance, freedom) of each part.

    Each part is stretched by Student's t of its own degrees of freedom, and the squares are added
    (Graybill and Wang, 1980): with three seeds a common number of degrees covered 92 %.
    """

    def half(beyond: float) -> float:
        stretched = (part * stats.t.isf(beyond / 2, freedom) ** 2 for part, freedom in parts)
        return math.sqrt(sum(stretched))

    def p(mean: float) -> float:
        if abs(mean) <= half(1.0):
            return 1.0
        if abs(mean) >= half(SMALLEST_P):
            return SMALLEST_P
        return float(optimize.brentq(lambda beyond: half(beyond) - abs(mean), SMALLEST_P, 1.0))

    return half(1 - CONFIDENCE), p


def p_text(p: float | None) -> str:
    """`0.0123`, and for what is less than four digits can show `< 0.0001`."""
    if p is None:
        return "unknown"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def holm(p_values: Sequence[float], family: int | None = None) -> list[float]:
    """Adjusted p-values (Holm, 1979): the smallest times m, the next times m - 1, never falling.

    Args:
        family: m, at least the number of values: of a family some may be missing.
    """
    family = family or len(p_values)
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (family - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted

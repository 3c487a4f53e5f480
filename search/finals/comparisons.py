"""Two methods compared, the correction for many comparisons, and the words for the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from search.cells.statistics import SIGNIFICANT, Estimate, difference, holm, p_text


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two methods on the same test images.

    Attributes:
        first, second: their names.
        difference: of the test accuracies, first - second, for other seeds and images.
        p: two-sided; None from one seed.
        p_holm: corrected for the whole family of comparisons.
    """

    first: str
    second: str
    difference: Estimate
    p: float | None
    p_holm: float | None = None


def compare(first: str, second: str, *, hits: tuple[np.ndarray, np.ndarray]) -> Comparison:
    """Compare two methods.

    Args:
        first, second: their names.
        hits: (seeds, images) bool for each, whether a test image was classified rightly.

    Raises:
        ValueError: the hits are of different images, or there are none.
    """
    estimated, p = difference(*hits)
    return Comparison(first=first, second=second, difference=estimated, p=p)


def correct(comparisons: Sequence[Comparison], family: int) -> list[Comparison]:
    """The same with Holm's correction for a family of so many, some of which may be missing."""
    tested = [i for i, c in enumerate(comparisons) if c.p is not None]
    adjusted = holm([comparisons[i].p or 0.0 for i in tested], family)
    by_index = dict(zip(tested, adjusted, strict=True))
    return [replace(one, p_holm=by_index.get(i)) for i, one in enumerate(comparisons)]


def verdict(comparison: Comparison) -> str:
    """One sentence, computed from the corrected test."""
    c = comparison
    ahead, behind = (c.first, c.second) if c.difference.mean >= 0 else (c.second, c.first)
    points = f"{100 * abs(c.difference.mean):.2f} points"
    if c.difference.low is None or c.difference.high is None:
        return f"{ahead} is ahead of {behind} by {points}; one seed says nothing of others"
    ends = (c.difference.low, c.difference.high)
    low, high = ends if c.difference.mean >= 0 else (-ends[1], -ends[0])
    test = (
        f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}, {c.difference.n} seeds, "
        f"p {p_text(c.p_holm)}"
    )
    if c.p_holm is not None and c.p_holm < SIGNIFICANT:
        return f"{ahead} is better than {behind} by {points} ({test})"
    return f"no difference shown between {c.first} and {c.second}: {points} ({test})"

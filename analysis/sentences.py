"""Pieces of sentences: numbers as the report writes them, lists."""

from __future__ import annotations

from collections.abc import Sequence

from search.cells.statistics import p_text


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; nothing of nothing."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def percent(share: float, decimals: int = 0) -> str:
    """`98 %` of a share."""
    return f"{100 * share:.{decimals}f} %"


def points(difference: float) -> str:
    """`+1.20`: a difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.2f}"


def p_value(p: float) -> str:
    """`p = 0.0312`, `p < 0.0001`."""
    text = p_text(float(p))
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def counted(count: int, what: str) -> str:
    """`1 epoch`, `3 epochs`."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def count_as_text(count: float) -> str:
    """Images, a mean over seeds: one decimal where it is small and not whole, never 0 for some."""
    if count < 0.05:
        return "<0.1"
    return f"{count:.0f}" if count >= 9.95 or abs(count - round(count)) < 0.05 else f"{count:.1f}"

"""Pieces of sentences."""

from __future__ import annotations

from collections.abc import Sequence


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`; nothing of nothing."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

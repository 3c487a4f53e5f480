"""Test images beside what the decoder makes of them, and their errors.

from analysis import reconstructions
found = reconstructions.compute_reconstructions(record, seed=0)

chapter.py   computes, and puts the section together
figures.py   draws
words.py     says what was measured
"""

from analysis.reconstructions.chapter import (
    Reconstructions,
    absolute_errors,
    compute_reconstructions,
    five,
    section,
)
from analysis.reconstructions.figures import (
    compose_extremes,
    compose_five,
    draw_by_class,
    draw_histogram,
)

__all__ = [
    "Reconstructions",
    "absolute_errors",
    "compose_extremes",
    "compose_five",
    "compute_reconstructions",
    "draw_by_class",
    "draw_histogram",
    "five",
    "section",
]

"""Test images beside what the decoder makes of them, and their errors.

from analysis import reconstructions
errors = reconstructions.compute_reconstructions(record, seed=0).errors  # (N,)

chapter.py   puts the section together
errors.py    computes
figures.py   draws
words.py     says what was measured
"""

from analysis.reconstructions.chapter import section
from analysis.reconstructions.errors import (
    Reconstructions,
    absolute_errors,
    compute_reconstructions,
    five,
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

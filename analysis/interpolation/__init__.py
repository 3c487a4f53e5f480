"""Between two latents, decoded, and between the two images themselves.

chapter.py    pairs, paths, and the section
measures.py   how much a step looks like a real image
figures.py    draws
words.py      answers from the measures
"""

from analysis.interpolation.chapter import Interpolation, compute_interpolation, section
from analysis.interpolation.figures import compose_walks, draw_measure
from analysis.interpolation.measures import (
    Paths,
    Real,
    entropy,
    ghosting,
    measure_paths,
    measure_real,
    path,
)

__all__ = [
    "Interpolation",
    "Paths",
    "Real",
    "compose_walks",
    "compute_interpolation",
    "draw_measure",
    "entropy",
    "ghosting",
    "measure_paths",
    "measure_real",
    "path",
    "section",
]

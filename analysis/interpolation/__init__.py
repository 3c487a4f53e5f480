"""Between two latents, decoded, and between the two images themselves.

chapter.py    puts the section together
measures.py   pairs, paths, and how much a step looks like a real image
figures.py    draws
words.py      answers from the measures
"""

from analysis.interpolation.chapter import section
from analysis.interpolation.figures import compose_walks, draw_measure
from analysis.interpolation.measures import (
    Interpolation,
    Paths,
    Real,
    compute_interpolation,
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

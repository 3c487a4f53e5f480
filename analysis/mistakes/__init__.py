"""Confusion matrices, and the most confident mistakes as pictures.

chapter.py   computes, and puts the section together
figures.py   draws
words.py     says what was measured
"""

from analysis.mistakes.chapter import (
    Confusion,
    Surest,
    compute_confusion,
    compute_surest,
    confusion_matrix,
    section,
    softmax,
)
from analysis.mistakes.figures import compose_surest, draw_accuracies, draw_confusion

__all__ = [
    "Confusion",
    "Surest",
    "compose_surest",
    "compute_confusion",
    "compute_surest",
    "confusion_matrix",
    "draw_accuracies",
    "draw_confusion",
    "section",
    "softmax",
]

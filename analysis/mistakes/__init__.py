"""Confusion matrices, and the most confident mistakes as pictures.

chapter.py   puts the section together
confusion.py computes
figures.py   draws
words.py     says what was measured
"""

from analysis.mistakes.chapter import section
from analysis.mistakes.confusion import (
    Confusion,
    Surest,
    compute_confusion,
    compute_surest,
    confusion_matrix,
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

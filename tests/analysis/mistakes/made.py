"""Mistakes made up for tests."""

from __future__ import annotations

import numpy as np

from analysis.mistakes.confusion import Surest

CLASSES = ("a", "b", "c")
COUNTS = np.array([[[90, 10, 0], [2, 98, 0], [0, 5, 45]], [[92, 8, 0], [4, 96, 0], [0, 5, 45]]])


def surest(labels: list[int], predicted: list[int], probability: list[float]) -> Surest:
    said, true = np.array(predicted), np.array(labels)
    chances = np.array(probability)
    wrong = np.flatnonzero(said != true)
    return Surest(
        labels=true,
        predicted=said,
        probability=chances,
        rows=wrong[np.argsort(-chances[wrong])],
    )

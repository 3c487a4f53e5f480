"""Which classes are taken for which, and the mistakes that the classifier is surest of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from analysis.records import PipelineRecord
from search.cells.statistics import Estimate, estimate


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """The classes that a classifier takes each class for.

    Attributes:
        counts: (S, K, K) images by seed; row: true class, column: predicted.
        classes: names by label.
    """

    counts: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        size = len(self.classes)
        if self.counts.ndim != 3 or self.counts.shape[1:] != (size, size):
            raise ValueError(f"counts must be (S, {size}, {size}), not {self.counts.shape}")
        if len(self.counts) < 1 or (self.counts < 0).any():
            raise ValueError("counts must be of one seed at least, and not negative")
        if not (self.counts.sum(axis=2) == self.counts[0].sum(axis=1)).all():
            raise ValueError("the seeds saw different images")

    @property
    def seeds(self) -> int:
        """S."""
        return len(self.counts)

    @property
    def mean(self) -> np.ndarray:
        """(K, K) images, mean over seeds."""
        return self.counts.mean(axis=0)

    @property
    def shares(self) -> np.ndarray:
        """(K, K) of `mean`, rows summing to 1 (to 0 for a class without images)."""
        totals = self.mean.sum(axis=1, keepdims=True)
        return self.mean / np.where(totals > 0, totals, 1)

    @property
    def accuracies(self) -> list[Estimate | None]:
        """Each class's, with an interval where there are several seeds; None without images."""
        totals, hits = self.counts[0].sum(axis=1), np.diagonal(self.counts, axis1=1, axis2=2).T
        return [
            estimate((of_class / total).tolist()) if total else None
            for of_class, total in zip(hits, totals, strict=True)
        ]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(true, predicted) of different classes that were confused, the most images first."""
        off = self.mean * (1 - np.eye(len(self.classes)))
        order = np.argsort(-off, axis=None, kind="stable")
        every = [divmod(int(place), len(self.classes)) for place in order]
        return [(true, predicted) for true, predicted in every if off[true, predicted] > 0]


@dataclass(frozen=True, kw_only=True)
class Surest:
    """How sure the drawn weights are, right or wrong.

    Attributes:
        labels, predicted: (N,).
        probability: (N,) of the predicted class.
        rows: (n,) of the mistakes, the most probable first.
    """

    labels: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray
    rows: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """(N,) bool."""
        return self.labels != self.predicted


def compute_confusion(record: PipelineRecord) -> Confusion:
    """The champion's over its seeds as the rerun recorded them, else the drawn weights'."""
    counts = []
    if record.result is not None:
        tested = record.result["rows"][0]["test"]
        counts = [one["confusion"] for one in tested if "confusion" in one]
    if not counts:
        every = range(len(record.classes))
        counts = [confusion_matrix(record.images.labels, record.predictions, labels=every)]
    return Confusion(counts=np.array(counts), classes=record.classes)


def compute_surest(record: PipelineRecord) -> Surest:
    """The drawn weights' mistakes by falling probability, temperature 1."""
    chances = softmax(record.logits.astype(np.float64), axis=1)
    labels, predicted = record.images.labels, chances.argmax(axis=1)
    probability = chances.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    return Surest(
        labels=labels,
        predicted=predicted,
        probability=probability,
        rows=wrong[np.argsort(-probability[wrong], kind="stable")],
    )

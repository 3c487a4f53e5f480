"""How far classes lie apart among points, in numbers that no projection into the plane can fake."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import calinski_harabasz_score, silhouette_score
from sklearn.metrics.pairwise import euclidean_distances

from trainers.data.split import stratified_order

NEIGHBOURS = 20
# Attribute of a Separation -> its name.
MEASURES = {"silhouette": "silhouette", "knn": "k-NN accuracy", "scatter": "between over within"}


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How well N points are separated by their classes.

    Attributes:
        silhouette: mean over the points, in [-1, 1]; 0 where classes lie over one another.
        knn: leave-one-out accuracy of the k nearest neighbours' vote, in [0, 1].
        scatter: trace of the scatter between classes over that within, 0 or more.
        hits: (N,) bool, which points their neighbours classify rightly.
        k: neighbours that vote.
    """

    silhouette: float
    knn: float
    scatter: float
    hits: np.ndarray
    k: int


def choose(labels: np.ndarray, points: int, *, seed: int = 0) -> np.ndarray:
    """(N,) labels -> (min(points, N),) rows, classes in proportion, the same for the same seed."""
    order = stratified_order(np.asarray(labels, dtype=np.int64), seed)
    return np.sort(order[:points])


def digest(points: np.ndarray) -> str:
    """16 hex digits that name an array: values, shape and type."""
    named = hashlib.sha256(f"{points.dtype}{points.shape}".encode())
    named.update(np.ascontiguousarray(points).data)
    return named.hexdigest()[:16]


def compute_separation(
    points: np.ndarray, labels: np.ndarray, *, k: int = NEIGHBOURS
) -> Separation:
    """All three measures, with Euclidean distances.

    Args:
        points: (N, D), any numbers; images are flattened first.
        labels: (N,) integers, two classes or more.
        k: neighbours that vote, N - 1 at most.
    """
    flat = np.asarray(points, dtype=np.float64).reshape(len(points), -1)
    distances = squared_distances(flat)
    hits = knn_hits(distances, labels, k=k)
    return Separation(
        silhouette=float(silhouette_score(np.sqrt(distances), labels, metric="precomputed")),
        knn=float(hits.mean()),
        scatter=scatter_ratio(flat, labels),
        hits=hits,
        k=min(k, len(flat) - 1),
    )


def squared_distances(points: np.ndarray) -> np.ndarray:
    """(N, D) -> (N, N) squared Euclidean distances, exact zeros on the diagonal."""
    centred = points - points.mean(0)  # rounding grows with the points' distance from 0
    return np.asarray(euclidean_distances(centred, squared=True))


def knn_hits(distances: np.ndarray, labels: np.ndarray, *, k: int = NEIGHBOURS) -> np.ndarray:
    """(N, N) distances, (N,) labels -> (N,) bool: is the vote of the k nearest others right?

    Each point is left out of its own vote. Where classes have equally many votes, the one
    whose nearest voter is nearest wins.
    """
    n = len(labels)
    k = min(k, n - 1)
    classes, numbered = np.unique(labels, return_inverse=True)
    others = distances.copy()
    np.fill_diagonal(others, np.inf)
    nearest = np.argpartition(others, k - 1, axis=1)[:, :k]
    order = np.take_along_axis(others, nearest, 1).argsort(1, kind="stable")
    voters = numbered[np.take_along_axis(nearest, order, 1)]  # (N, k), nearest first
    voted = voters[:, :, None] == np.arange(len(classes))  # (N, k, K)
    # The rank of a class's nearest voter costs under one vote: it settles ties and nothing else.
    scores = voted.sum(1) - voted.argmax(1) / (k + 1)
    return np.asarray(scores.argmax(1) == numbered)


def scatter_ratio(points: np.ndarray, labels: np.ndarray) -> float:
    """Trace of the between-class scatter over that of the within-class scatter; 0 or more.

    S_B = sum_c n_c (m_c - m)(m_c - m)', S_W = sum_c sum_i (x_i - m_c)(x_i - m_c)' (Fukunaga,
    1990, "Introduction to Statistical Pattern Recognition", section 10.2), (N, D) points and (N,)
    labels. It is the index of Calinski and Harabasz but for its degrees of freedom.
    """
    classes = np.unique(labels)
    if not any(np.ptp(points[labels == label], axis=0).any() for label in classes):
        return float("inf") if np.ptp(points, axis=0).any() else 0.0  # scikit-learn gives 1
    freedom = (len(classes) - 1) / (len(points) - len(classes))
    return float(calinski_harabasz_score(points, labels)) * freedom

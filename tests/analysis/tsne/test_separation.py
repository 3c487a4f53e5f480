"""How far classes lie apart: measures against slow references, and verdicts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from analysis.tsne.separation import (
    MEASURES,
    Separation,
    choose,
    compute_separation,
    digest,
    knn_hits,
    scatter_ratio,
    squared_distances,
)
from analysis.tsne.words import verdict

RNG = np.random.default_rng(5)
POINTS = RNG.normal(size=(60, 7))
LABELS = np.repeat([0, 1, 2], 20)


def slow_distances(points: np.ndarray) -> np.ndarray:
    return np.array([[((a - b) ** 2).sum() for b in points] for a in points])


def slow_hits(points: np.ndarray, labels: np.ndarray, k: int) -> list[bool]:
    distances = slow_distances(points)
    hits = []
    for i in range(len(labels)):
        nearest = sorted((j for j in range(len(labels)) if j != i), key=lambda j: distances[i, j])
        votes = [labels[j] for j in nearest[:k]]
        counts = Counter(votes)
        most = max(counts.values())
        winner = next(label for label in votes if counts[label] == most)  # the nearest of the tied
        hits.append(bool(winner == labels[i]))
    return hits


def test_distances() -> None:
    far = POINTS + 1000  # where the naive formula loses digits
    np.testing.assert_allclose(squared_distances(far), slow_distances(POINTS), atol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 5, 20, 59])
def test_knn(k: int) -> None:
    assert knn_hits(squared_distances(POINTS), LABELS, k=k).tolist() == slow_hits(POINTS, LABELS, k)


def test_a_point_does_not_vote_for_itself() -> None:
    """Two points of other classes beside each other, on the same spot even."""
    points = np.array([[0.0], [0.0], [9.0], [9.0]])
    labels = np.array([0, 1, 0, 1])
    assert not knn_hits(squared_distances(points), labels, k=1).any()


def test_scatter_ratio_in_closed_form() -> None:
    """Classes at -1 and 1, their points at a distance s: 1 over s squared."""
    points = np.array([[-1.0, 0.5], [-1.0, -0.5], [1.0, 0.5], [1.0, -0.5]])
    labels = np.array([0, 0, 1, 1])
    assert scatter_ratio(points, labels) == pytest.approx(4.0)
    to_others = (2 + np.sqrt(5)) / 2  # mean distance, against 1 to the other of its class
    assert compute_separation(points, labels).silhouette == pytest.approx(1 - 1 / to_others)
    assert scatter_ratio(np.round(points, 0) * [1, 0], labels) == np.inf
    assert scatter_ratio(0 * points, labels) == 0


def test_scale_and_place_do_not_matter() -> None:
    one, other = (compute_separation(p, LABELS) for p in (POINTS, 255 * POINTS + 3))
    for attribute in MEASURES:
        assert getattr(one, attribute) == pytest.approx(getattr(other, attribute))


def test_separated_and_mixed() -> None:
    apart = compute_separation(POINTS + 30 * LABELS[:, None], LABELS)
    mixed = compute_separation(POINTS, LABELS)
    assert apart.knn == 1 and apart.silhouette > 0.8 and apart.scatter > 10
    # 60 points of three classes that do not differ: k-NN is right on a third of them, and on more
    # than 36 in fewer than one of 10^5 cases; the draw is fixed.
    assert mixed.knn < 0.6 and abs(mixed.silhouette) < 0.1 and mixed.scatter < 0.3
    assert mixed.k == 20


def test_images_are_flattened_and_few_points_have_fewer_neighbours() -> None:
    images = RNG.integers(0, 256, (8, 1, 3, 3)).astype(np.uint8)
    found = compute_separation(images, np.array([0, 1] * 4))
    assert found.k == 7


def test_choose() -> None:
    labels = np.repeat(np.arange(10), 50)
    rows = choose(labels, 100, seed=3)
    assert np.bincount(labels[rows]).tolist() == [10] * 10
    assert len(set(rows)) == 100
    assert choose(labels, 100, seed=3).tolist() == rows.tolist()
    assert choose(labels, 100, seed=4).tolist() != rows.tolist()
    assert choose(labels, 9999).tolist() == list(range(500))


def test_digest_minds_values_shape_and_type() -> None:
    base = np.arange(6, dtype=np.float32)
    others = [base + 1, base.reshape(2, 3), base.astype(np.int32)]
    assert len({digest(a) for a in (base, *others)}) == 4
    assert digest(base[::2]) == digest(base[::2].copy())


# Verdicts -----------------------------------------------------------------------------------------


def separation(silhouette: float, right: int, scatter: float, n: int = 100) -> Separation:
    hits = np.arange(n) < right
    return Separation(silhouette=silhouette, knn=right / n, scatter=scatter, hits=hits, k=20)


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        ((0.3, 95, 0.5), "by all three measures; in k-NN accuracy +15.00 points, p < 0.0001 over"),
        ((0.1, 60, 0.1), "by none of the measures; in k-NN accuracy -20.00 points"),
        ((0.3, 80, 0.5), "by silhouette and between over within; in k-NN accuracy +0.00 points"),
        ((0.2, 81, 0.2), "p = 0.3197 over the same images, which may be chance."),
    ],
)
def test_verdict(mine: tuple[float, int, float], said: str) -> None:
    spaces = separation(*mine), separation(0.2, 80, 0.2)
    told = verdict("A", "B", *spaces, paired=True)
    assert told.startswith("A is ahead of B by ") and said in told
    assert ("chance" in told) == (mine[1] in (80, 81))
    assert "not of the same images" in verdict("A", "B", *spaces, paired=False)

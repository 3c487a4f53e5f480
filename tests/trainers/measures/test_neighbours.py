"""Distances to nearest neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from trainers.measures import neighbours
from trainers.measures.neighbours import nearest_distances


def brute_force(points: np.ndarray, references: np.ndarray, k: int) -> np.ndarray:
    """One pair at a time, in float64."""
    every = [[np.sqrt(((p - r) ** 2).sum()) for r in references] for p in points]
    return np.sort(np.array(every), axis=1)[:, k - 1]


@pytest.mark.parametrize("k", [1, 2, 7, 23])
def test_distances_are_those_of_brute_force(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BATCH_SIZE", 4)  # 11 points: three batches, the last not full
    rng = np.random.default_rng(0)
    points, references = rng.normal(size=(11, 2, 3)), rng.normal(size=(23, 2, 3))
    found = nearest_distances(points, references, k=k)
    np.testing.assert_allclose(found, brute_force(points, references, k), rtol=1e-5)


def test_a_point_is_its_own_nearest_neighbour() -> None:
    points = 100 + np.random.default_rng(0).normal(size=(20, 300))
    assert (nearest_distances(points, points) == 0).all()


def test_bytes_are_pixels() -> None:
    black, white = np.zeros((1, 1, 2, 2), np.uint8), np.full((3, 1, 2, 2), 255, np.uint8)
    assert nearest_distances(black, white) == pytest.approx([2.0])
    assert nearest_distances(black, white.astype(np.float32) / 255) == pytest.approx([2.0])


def test_no_points_have_no_distances() -> None:
    assert nearest_distances(np.zeros((0, 3)), np.ones((4, 3))).shape == (0,)


@pytest.mark.parametrize(
    ("k", "size", "said"),
    [(0, 3, "k must be 1 .. 4, not 0"), (5, 3, "k must be 1 .. 4, not 5"), (1, 4, "references 4")],
)
def test_there_must_be_k_neighbours_of_the_same_size(k: int, size: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        nearest_distances(np.zeros((2, 3)), np.ones((4, size)), k=k)

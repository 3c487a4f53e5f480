"""How far classes lie apart: measures against slow references, verdicts whichever way they fall."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from analysis.records import Findings
from analysis.tsne.contrast import MEASURES, Space, compute_contrast, verdict
from analysis.tsne.separation import (
    Separation,
    choose,
    compute_separation,
    digest,
    knn_hits,
    scatter_ratio,
    squared_distances,
)
from analysis.tsne.words import against_pixels, contrastive, guided, how
from tests.analysis.blocks import words

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
    for attribute, _, _ in MEASURES:
        assert getattr(one, attribute) == pytest.approx(getattr(other, attribute))


def test_separated_and_mixed() -> None:
    apart = compute_separation(POINTS + 30 * LABELS[:, None], LABELS)
    mixed = compute_separation(POINTS, LABELS)
    assert apart.knn == 1 and apart.silhouette > 0.8 and apart.scatter > 10
    # 60 points of three classes that do not differ: k-NN is right on a third of them, and on more
    # than 36 in fewer than one of 10^5 cases; the draw is fixed.
    assert mixed.knn < 0.6 and abs(mixed.silhouette) < 0.1 and mixed.scatter < 0.3
    assert mixed.chance == pytest.approx(1 / 3)
    assert mixed.k == 20 and len(mixed) == 60


def test_images_are_flattened_and_few_points_have_fewer_neighbours() -> None:
    images = RNG.integers(0, 256, (8, 1, 3, 3)).astype(np.uint8)
    found = compute_separation(images, np.array([0, 1] * 4))
    assert found.k == 7


def test_what_is_no_separation() -> None:
    good = compute_separation(POINTS, LABELS)
    for wrong in ({"silhouette": 1.5}, {"scatter": -0.1}, {"knn": good.knn + 0.1}, {"chance": 0.0}):
        with pytest.raises(ValueError):
            replace(good, **wrong)
    with pytest.raises(ValueError, match="bool"):
        replace(good, hits=good.hits.astype(int))


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
    return Separation(
        silhouette=silhouette, knn=right / n, scatter=scatter, hits=hits, k=20, chance=0.1
    )


@pytest.fixture
def space(findings: Findings):  # type: ignore[no-untyped-def]
    """(pipeline, silhouette, right of 100, scatter, images) -> its space."""

    def make(name: str, *numbers: float, what: str = "latents", images: str = "same") -> Space:
        return Space(findings.records[name], what, images, separation(*numbers))  # type: ignore[arg-type]

    return make


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        ((0.3, 90, 0.5), "separates the classes more than B by all three measures"),
        ((0.1, 60, 0.1), "separates the classes less than B by all three measures"),
        ((0.3, 60, 0.5), "disagree: A is ahead of B in silhouette and between over within, behind"),
        ((0.2, 90, 0.2), "ahead of B in k-NN accuracy, level in silhouette and between over"),
        ((0.2, 60, 0.2), "behind B in k-NN accuracy, level in"),
        ((0.2, 80, 0.2), "A and B are level by all three measures"),
    ],
)
def test_verdict(space, mine, said) -> None:  # type: ignore[no-untyped-def]
    contrast = compute_contrast(
        space("mnist_supervised", *mine), space("mnist_autoencoder", 0.2, 80, 0.2)
    )
    told = verdict("A", "B", contrast)
    assert said in told
    assert told.endswith(".") and ".." not in told
    assert "against 80.0 %" in told


def test_chance_is_told(space) -> None:  # type: ignore[no-untyped-def]
    """81 against 80 of 100 images is nothing; 95 against 80 is something (p = 2^-14)."""
    second = space("mnist_autoencoder", 0.2, 80, 0.2)
    near, far = (space("mnist_supervised", 0.3, right, 0.5) for right in (81, 95))
    assert "within chance" in verdict("A", "B", compute_contrast(near, second))
    assert (compute_contrast(far, second).p or 1.0) < 0.001
    assert "chance" not in verdict("A", "B", compute_contrast(far, second))


def test_other_images_are_not_paired(space) -> None:  # type: ignore[no-untyped-def]
    contrast = compute_contrast(
        space("mnist_supervised", 0.3, 90, 0.5),
        space("mnist_autoencoder", 0.2, 80, 0.2, images="others"),
    )
    assert contrast.p is None
    assert "not the same images" in verdict("A", "B", contrast)


LOW, MIDDLE, HIGH = (0.1, 60, 0.1), (0.2, 80, 0.2), (0.3, 95, 0.5)


@pytest.mark.parametrize(
    ("supervised", "others", "said"),
    [
        (HIGH, (MIDDLE,), "gave the more separable space in every comparison"),
        (LOW, (MIDDLE,), "did not give the more separable space in any comparison"),
        ((0.3, 60, 0.5), (MIDDLE,), "did not give the more separable space in any comparison"),
        (MIDDLE, (LOW, HIGH), "in some comparisons, not in all"),
    ],
)
def test_guided(space, findings, supervised, others, said) -> None:  # type: ignore[no-untyped-def]
    pixels = space("mnist_supervised", *MIDDLE, what="pixels")
    names = "mnist_supervised", "mnist_autoencoder", "mnist_contrastive"
    numbers = dict(zip(names, (supervised, *others), strict=False))
    spaces = {name: (space(name, *some), pixels) for name, some in numbers.items()}
    assert said in words(guided(spaces, findings))


def test_against_pixels(space) -> None:  # type: ignore[no-untyped-def]
    numbers = {"supervised": HIGH, "autoencoder": LOW, "contrastive": (0.3, 60, 0.5)}
    made = {
        name: (space(f"mnist_{name}", *some), space(f"mnist_{name}", *MIDDLE, what="pixels"))
        for name, some in numbers.items()
    }
    said = words(against_pixels(made))
    assert "More separable than pixels by all three measures: MNIST supervised." in said
    assert "Less separable than pixels by all three measures: MNIST autoencoder." in said
    assert "disagree or are level: MNIST contrastive." in said


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        (HIGH, "the contrastive space is the more separable one"),
        (LOW, "did not have the desired effect"),
        ((0.1, 95, 0.1), "more often of its class, while the classes are not more compact"),
        ((0.3, 60, 0.5), "a more separable space is not shown"),
        (MIDDLE, "a more separable space is not shown"),
    ],
)
def test_how(space, mine, said) -> None:  # type: ignore[no-untyped-def]
    contrast = compute_contrast(
        space("mnist_contrastive", *mine), space("mnist_autoencoder", *MIDDLE)
    )
    assert said in how("MNIST", contrast)


def test_the_ablation(space, findings, only, unfinished) -> None:  # type: ignore[no-untyped-def]
    record = findings.records["mnist_contrastive"]
    pair = (space("mnist_contrastive", *HIGH), space("mnist_contrastive", *LOW, what="pixels"))
    said = words(contrastive({"mnist_contrastive": pair}, findings))
    told = next(c for c in record.result["comparisons"] if c["second"] == "its ablation")
    assert told["verdict"] in said
    assert "a linear probe is right on" in said
    assert "There is no mnist_autoencoder" in said

    few = only(findings, "mnist_contrastive", mnist_contrastive=unfinished(record))
    alone = replace(pair[0], record=few.records["mnist_contrastive"])
    said = words(contrastive({"mnist_contrastive": (alone, pair[1])}, few))
    assert "is not final, so it cannot be compared with its ablation" in said
    assert few.missing["mnist_contrastive"] in said


def test_nothing_to_compare(findings, only) -> None:  # type: ignore[no-untyped-def]
    few = only(findings, "cifar_supervised")
    assert "python search/tune.py --pipeline cifar_contrastive" in words(contrastive({}, few))
    assert "is missing" in words(guided({}, few))

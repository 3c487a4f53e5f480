"""Measures of what walks between latents pass through: pictures, classes, density, ghosts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from analysis.reconstructions.errors import five
from analysis.records import PipelineRecord, scaled
from trainers.measures.interpolation import STEPS, entropy, ghosting, path
from trainers.measures.neighbours import NEIGHBOUR, REFERENCES, nearest_distances

OTHERS: Mapping[str, tuple[tuple[int, int], ...]] = {"mnist": ((4, 7), (8, 9), (3, 4), (5, 1))}

PAIRS = 100  # random ones of different classes, and as many of one class
GHOST = 0.5  # nearer to the cross-fade than to a decided picture
REAL = 1000  # images of the split that the walks are compared with


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Walks between P pairs of images in S steps, measured.

    Attributes:
        rows: (P, 2) of the split: from, to.
        predicted: (P, S) classes that the classifier gives the latents.
        confidence: (P, S) its probability for that class.
        entropy: (P, S) of its probabilities, in nats.
        nearest: (P, S) L2 distance of the decoded steps to the nearest training image, pixels in
            [0, 1].
        sparsity: (P, S) distance of the latents to the k-th nearest training latent: the larger,
            the emptier the space.
        ghosting: (P, S), see `trainers.measures.interpolation`; NaN at both ends.
        mixed_nearest, mixed_entropy: (P, S) the same of the images' own mixes in pixel space.
    """

    rows: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    entropy: np.ndarray
    nearest: np.ndarray
    sparsity: np.ndarray
    ghosting: np.ndarray
    mixed_nearest: np.ndarray
    mixed_entropy: np.ndarray

    def middle(self, measure: str) -> np.ndarray:
        """(P,) mean over the two steps in the middle (one, if the steps are odd)."""
        values = getattr(self, measure)
        steps = values.shape[1]
        return values[:, (steps - 1) // 2 : steps // 2 + 1].mean(axis=1)

    def median_middle(self, measure: str) -> float:
        """The median over pairs of `middle`."""
        return float(np.median(self.middle(measure)))


@dataclass(frozen=True, kw_only=True)
class Real:
    """The same measures of images as they are, and of their own latents.

    Attributes:
        nearest, entropy, sparsity: (M,) as in `Paths`.
    """

    nearest: np.ndarray
    entropy: np.ndarray
    sparsity: np.ndarray

    def usual(self, measure: str) -> float:
        """The value that 90 % of them stay below."""
        return float(np.quantile(getattr(self, measure), 0.9))


def middle_passes(paths: Paths, real: Real) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(P,) bool each, as a picture of one thing would be: near, sure, decided.

    That is: no farther from training images, classified no less surely than 90 % of real images;
    less than half a cross-fade.
    """
    near = paths.middle("nearest") <= real.usual("nearest")
    sure = paths.middle("entropy") <= real.usual("entropy")
    return near, sure, paths.middle("ghosting") < GHOST


def middle_is_usual(paths: Paths, real: Real) -> np.ndarray:
    """(P,) bool: passes all three."""
    return np.all(middle_passes(paths, real), axis=0)


def measure_paths(record: PipelineRecord, rows: np.ndarray, *, steps: int = STEPS) -> Paths:
    """Walk between pairs of images of the record's split: (P, 2) rows. Cached by weights."""
    key = {**_key(record), "rows": np.asarray(rows).tolist(), "steps": steps}
    compute = functools.partial(_measure_paths, record, np.asarray(rows), steps)
    return record.cache.get("interpolation", key, compute, kind=Paths)


def measure_real(record: PipelineRecord, rows: np.ndarray) -> Real:
    """The same of images as they are: (M,) rows of the split. Cached by weights."""

    def compute() -> Real:
        latents = record.latents[rows]
        return Real(
            nearest=nearest_distances(record.images.images[rows], _training(record)),
            entropy=entropy(_probabilities(record, latents)),
            sparsity=_sparsity(record, latents),
        )

    key = {**_key(record), "rows": np.asarray(rows).tolist()}
    return record.cache.get("interpolation_real", key, compute, kind=Real)


def _key(record: PipelineRecord) -> dict[str, object]:
    return {
        "weights": record.weights,
        "data": [record.data.fingerprint, record.split, len(record.images)],
        "training": len(_training(record)),
        "k": NEIGHBOUR,
    }


def _measure_paths(record: PipelineRecord, rows: np.ndarray, steps: int) -> Paths:
    ends = record.latents[rows]
    images = scaled(record.images.images[rows])
    latents = np.stack([path(start, end, steps) for start, end in ends])
    mixed = np.stack([path(start, end, steps) for start, end in images])
    shape = (len(rows), steps)
    points, every = latents.reshape(-1, latents.shape[2]), mixed.reshape(-1, *mixed.shape[2:])
    decoded, chances = record.decode(points), _probabilities(record, points)
    walks = decoded.reshape(mixed.shape)
    training = _training(record)
    return Paths(
        rows=rows,
        predicted=chances.argmax(1).reshape(shape),
        confidence=chances.max(1).reshape(shape),
        entropy=entropy(chances).reshape(shape),
        nearest=nearest_distances(decoded, training).reshape(shape),
        sparsity=_sparsity(record, points).reshape(shape),
        ghosting=np.stack([ghosting(walk) for walk in walks]),
        mixed_nearest=nearest_distances(every, training).reshape(shape),
        mixed_entropy=entropy(_probabilities(record, record.encode(every))).reshape(shape),
    )


def _training(record: PipelineRecord) -> np.ndarray:
    return record.data.train.images[:REFERENCES]


def _sparsity(record: PipelineRecord, latents: np.ndarray) -> np.ndarray:
    training = record.train_latents(REFERENCES)
    return nearest_distances(latents, training, k=min(NEIGHBOUR, len(training)))


def _probabilities(record: PipelineRecord, latents: np.ndarray) -> np.ndarray:
    """(B, D) -> (B, K) float64: softmax of the classifier's logits."""
    return softmax(record.classify(latents).astype(np.float64), axis=1)


@dataclass(frozen=True, kw_only=True)
class Interpolation:
    """Walks between pairs of images, those shown and many random ones.

    Attributes:
        shown: the pair of the five first, then the other pairs that are drawn.
        decoded: (P, S, C, H, W) in [0, 1], their latents decoded.
        mixed: (P, S, C, H, W) in [0, 1], their images mixed in pixel space.
        labels: (P, 2) classes of their ends.
        between: random pairs of different classes.
        within: random pairs of one class: what walking alone does, with no class to leave.
        real: images as they are.
        classes: names by label.
        training: how many training images distances are taken to.
    """

    shown: Paths
    decoded: np.ndarray
    mixed: np.ndarray
    labels: np.ndarray
    between: Paths
    within: Paths
    real: Real
    classes: tuple[str, ...]
    training: int

    def named(self, pair: int) -> str:
        """`4 to 7`."""
        start, end = self.labels[pair]
        return f"{self.classes[start]} to {self.classes[end]}"


def random_pairs(labels: np.ndarray, count: int, *, same: bool, seed: int) -> np.ndarray:
    """Random pairs of rows: of one class if `same`, else of two.

    Args:
        labels: (N,) classes.
        count: P.

    Returns:
        (P, 2) rows, never the same twice in a pair.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if (counts.max() < 2) if same else (len(classes) < 2):
        raise ValueError("no two images of one class" if same else "all images are of one class")
    rng = np.random.default_rng([seed, int(same)])
    pairs: list[tuple[int, int]] = []
    while len(pairs) < count:
        first, second = (int(row) for row in rng.integers(len(labels), size=2))
        if first != second and (labels[first] == labels[second]) == same:
            pairs.append((first, second))
    return np.array(pairs)


def shown_pairs(record: PipelineRecord, seed: int) -> np.ndarray:
    """(P, 2) rows of the pairs that are drawn: the first two of the five, then `OTHERS`."""
    labels = record.images.labels
    rng = np.random.default_rng([seed, 2])
    pairs = [tuple(five(record, seed)[:2])]
    for wanted in OTHERS.get(record.dataset, ()):
        rows_by_class = [np.flatnonzero(labels == label) for label in wanted]
        if all(len(rows) for rows in rows_by_class):
            pairs.append(tuple(rng.choice(rows) for rows in rows_by_class))
    return np.array(pairs)


def compute_interpolation(record: PipelineRecord, seed: int) -> Interpolation:
    """Walk between the shown pairs and many random ones; measures are cached by weights."""
    images = record.images
    rows = shown_pairs(record, seed)
    ends = record.latents[rows]
    pixels = scaled(images.images[rows])
    latents = np.stack([path(start, end) for start, end in ends])
    decoded = record.decode(latents.reshape(-1, latents.shape[-1]))
    sample = np.random.default_rng([seed, 3]).permutation(len(images))[:REAL]
    return Interpolation(
        shown=measure_paths(record, rows),
        decoded=decoded.reshape(len(rows), STEPS, *decoded.shape[1:]),
        mixed=np.stack([path(start, end) for start, end in pixels]),
        labels=images.labels[rows],
        between=measure_paths(record, random_pairs(images.labels, PAIRS, same=False, seed=seed)),
        within=measure_paths(record, random_pairs(images.labels, PAIRS, same=True, seed=seed)),
        real=measure_real(record, sample),
        classes=record.classes,
        training=len(_training(record)),
    )

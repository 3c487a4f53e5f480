"""What walks between latents pass through, measured: pictures, classes, density, ghosts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from analysis.records import PipelineRecord
from search.measures.nearest import nearest_distances
from search.measures.walks import STEPS, entropy, ghosting, path
from trainers.data import LabelledImages

TRAINING = 10_000  # training images and latents that distances are taken to: the first ones
NEIGHBOUR = 10  # latents: distance to the 10th nearest, steadier than to the nearest


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
        ghosting: (P, S), see `search.measures.walks`; NaN at both ends.
        contrast: (P, S) standard deviation of the decoded pixels over the mean of both ends'.
        mixed_nearest, mixed_entropy: (P, S) the same of the images' own mixes in pixel space.
        classes: K.
    """

    rows: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray
    entropy: np.ndarray
    nearest: np.ndarray
    sparsity: np.ndarray
    ghosting: np.ndarray
    contrast: np.ndarray
    mixed_nearest: np.ndarray
    mixed_entropy: np.ndarray
    classes: int

    def __post_init__(self) -> None:
        shape = self.predicted.shape
        if self.rows.shape != (shape[0], 2):
            raise ValueError(f"rows must be ({shape[0]}, 2), not {self.rows.shape}")
        for name in (*MEASURES, "confidence"):
            values = getattr(self, name)
            if values.shape != shape:
                raise ValueError(f"{name} must be {shape}, not {values.shape}")
            inside = values[:, 1:-1]
            if not np.isfinite(inside).all() or (inside < 0).any():
                raise ValueError(f"{name} must be finite and not negative between the ends")
        top = np.log(self.classes) + 1e-4
        for name, limit in (("entropy", top), ("mixed_entropy", top), ("confidence", 1 + 1e-6)):
            if getattr(self, name).max() > limit:
                raise ValueError(f"{name} must be at most {limit:.4f}")
        if self.ghosting[:, 1:-1].max() > 1:
            raise ValueError("ghosting must be at most 1")

    def middle(self, measure: str) -> np.ndarray:
        """(P,) mean over the two steps in the middle (one, if the steps are odd)."""
        values = getattr(self, measure)
        steps = values.shape[1]
        mean: np.ndarray = values[:, (steps - 1) // 2 : steps // 2 + 1].mean(axis=1)
        return mean

    def ends(self, measure: str) -> np.ndarray:
        """(P,) mean over both ends."""
        mean: np.ndarray = getattr(self, measure)[:, [0, -1]].mean(axis=1)
        return mean


MEASURES = (
    *("entropy", "nearest", "sparsity", "ghosting", "contrast"),
    *("mixed_nearest", "mixed_entropy"),
)


@dataclass(frozen=True, kw_only=True)
class Real:
    """The same measures of images as they are, and of their own latents.

    Attributes:
        nearest, entropy, sparsity: (M,) as in `Paths`.
    """

    nearest: np.ndarray
    entropy: np.ndarray
    sparsity: np.ndarray

    def __post_init__(self) -> None:
        for name in ("nearest", "entropy", "sparsity"):
            values = getattr(self, name)
            if values.shape != self.nearest.shape or not (values >= 0).all():
                raise ValueError(f"{name} must be {self.nearest.shape} and not negative")

    def usual(self, measure: str) -> float:
        """What 90 % of them stay below."""
        return float(np.quantile(getattr(self, measure), 0.9))


def measure_paths(record: PipelineRecord, rows: np.ndarray, *, steps: int = STEPS) -> Paths:
    """Walk between pairs of images of the record's split: (P, 2) rows. Cached by weights."""
    key = {
        **_key(record),
        **{"rows": np.asarray(rows).tolist(), "steps": steps},
    }
    stored = record.cache.get("interpolation", key, lambda: _measure_paths(record, rows, steps))
    return Paths(rows=np.asarray(rows), classes=len(record.classes), **stored)


def measure_real(record: PipelineRecord, rows: np.ndarray) -> Real:
    """The same of images as they are: (M,) rows of the split. Cached by weights."""

    def compute() -> dict[str, np.ndarray]:
        latents = record.latents[rows]
        return {
            "nearest": nearest_distances(record.images.images[rows], _training(record).images),
            "entropy": entropy(_probabilities(record, latents)),
            "sparsity": _sparsity(record, latents),
        }

    key = {**_key(record), "rows": np.asarray(rows).tolist()}
    return Real(**record.cache.get("interpolation_real", key, compute))


def _key(record: PipelineRecord) -> dict[str, object]:
    return {
        **{"weights": record.weights, "data": record.data.fingerprint, "split": record.split},
        **{"images": len(record.images), "training": len(_training(record)), "k": NEIGHBOUR},
    }


def _measure_paths(record: PipelineRecord, rows: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    ends = record.latents[rows]
    images = record.images.images[rows].astype(np.float32) / 255
    latents = np.stack([path(start, end, steps) for start, end in ends])
    mixed = np.stack([path(start, end, steps) for start, end in images])
    shape = (len(rows), steps)
    points, every = latents.reshape(-1, latents.shape[2]), mixed.reshape(-1, *mixed.shape[2:])
    decoded, chances = record.decode(points), _probabilities(record, points)
    walks = decoded.reshape(mixed.shape)
    spread = walks.reshape(*shape, -1).std(axis=2)
    of_ends = (spread[:, :1] + spread[:, -1:]) / 2
    training = _training(record).images
    return {
        "predicted": chances.argmax(1).reshape(shape),
        "confidence": chances.max(1).reshape(shape),
        "entropy": entropy(chances).reshape(shape),
        "nearest": nearest_distances(decoded, training).reshape(shape),
        "sparsity": _sparsity(record, points).reshape(shape),
        "ghosting": np.stack([ghosting(walk) for walk in walks]),
        "contrast": spread / np.where(of_ends > 0, of_ends, 1),
        "mixed_nearest": nearest_distances(every, training).reshape(shape),
        "mixed_entropy": entropy(_probabilities(record, record.encode(every))).reshape(shape),
    }


def _training(record: PipelineRecord) -> LabelledImages:
    train = record.data.train
    return LabelledImages(train.images[:TRAINING], train.labels[:TRAINING])


def _sparsity(record: PipelineRecord, latents: np.ndarray) -> np.ndarray:
    training = record.train_latents(TRAINING)
    return nearest_distances(latents, training, k=min(NEIGHBOUR, len(training)))


def _probabilities(record: PipelineRecord, latents: np.ndarray) -> np.ndarray:
    """(B, D) -> (B, K) float64: softmax of the classifier's logits."""
    with torch.no_grad():
        logits = record.model.classifier(torch.from_numpy(latents))
    chances: np.ndarray = logits.double().softmax(dim=1).numpy()
    return chances

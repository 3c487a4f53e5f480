"""How far points are from their nearest neighbours among many others, exactly and in batches."""

from __future__ import annotations

import math

import numpy as np
import torch

REFERENCES = 10_000  # training images, and latents, that walks between images are compared with
NEIGHBOUR = 10  # the distance to the 10th nearest latent is steadier than that to the nearest
BATCH_SIZE = 500  # times 10,000 references: 20 MB of distances at a time


def nearest_distances(points: np.ndarray, references: np.ndarray, *, k: int = 1) -> np.ndarray:
    """Euclidean distance from each point to its k-th nearest reference.

    Args:
        points: (Q, ...), uint8 (taken as pixels, brought to [0, 1]) or float.
        references: (R, ...) likewise, as many numbers in each.
        k: 1 for the nearest; at most R.

    Returns:
        (Q,) float32.
    """
    if not 1 <= k <= len(references):
        raise ValueError(f"k must be 1 .. {len(references)}, not {k}")
    queries, others = _flat(points), _flat(references)
    if queries.shape[1] != others.shape[1]:
        raise ValueError(f"points have {queries.shape[1]} numbers, references {others.shape[1]}")
    squares = others.square().sum(1)
    parts = []
    for part in queries.split(BATCH_SIZE):
        # |r|^2 - 2 p.r orders the references of a point as their distances do, in one product. It
        # cancels where they are close, so the distances of those found are taken afresh.
        nearest = torch.addmm(squares, part, others.T, alpha=-2).topk(k, largest=False).indices
        distances = torch.stack([(part - others[column]).norm(dim=1) for column in nearest.T])
        parts.append(distances.amax(0))
    kept: np.ndarray = torch.cat(parts).numpy() if parts else np.zeros(0, dtype=np.float32)
    return kept


def _flat(points: np.ndarray) -> torch.Tensor:
    """(N, ...) -> (N, numbers) float32."""
    scaled = points.astype(np.float32) / (255 if points.dtype == np.uint8 else 1)
    return torch.from_numpy(
        np.ascontiguousarray(scaled.reshape(len(points), math.prod(points.shape[1:])))
    )

"""How samples compare with real images, from (N, D) features of both."""

from __future__ import annotations

import numpy as np
from scipy import linalg


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Squared Frechet distance of the normals fitted to (N, D) and (M, D) features.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Heusel et al., 2017, equation 6); 0 for equal
    means and covariances. It grows with D and falls with N, so compare equal sizes only.

    Raises:
        ValueError: fewer than two rows, or unequal D.
    """
    one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if min(len(one), len(other)) < 2 or one.shape[1] != other.shape[1]:
        raise ValueError(f"features are {one.shape} and {other.shape}")
    first, second = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    first, second = np.atleast_2d(first), np.atleast_2d(second)
    # tr (C1 C2)^(1/2) is the sum of the roots of the eigenvalues of C1^(1/2) C2 C1^(1/2), which is
    # symmetric, so that no complex root of a nearly singular product is taken.
    values, vectors = linalg.eigh(first)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    crossed = linalg.eigvalsh(root @ second @ root)
    shared = np.sqrt(np.clip(crossed, 0, None)).sum()
    means = np.square(one.mean(0) - other.mean(0)).sum()
    return float(max(0.0, means + np.trace(first) + np.trace(second) - 2 * shared))

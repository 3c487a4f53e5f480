"""A straight walk between two latents or two images: its steps, and what they look like."""

from __future__ import annotations

import numpy as np

STEPS = 10


def path(start: np.ndarray, end: np.ndarray, steps: int = STEPS) -> np.ndarray:
    """Equal steps on the straight line from `start` to `end`, both ends among them.

    Args:
        start, end: of one shape: latents (D,), images (C, H, W) in [0, 1], ...
        steps: at least 2; 10 steps have 9 equal gaps, alpha = 0, 1/9, ..., 1.

    Returns:
        (steps, ...) float32: (1 - alpha) start + alpha end.
    """
    if steps < 2:
        raise ValueError(f"a path has at least its 2 ends, not {steps} steps")
    if start.shape != end.shape:
        raise ValueError(f"start is {start.shape}, end is {end.shape}")
    alpha = np.linspace(0, 1, steps, dtype=np.float32).reshape(-1, *[1] * start.ndim)
    walked: np.ndarray = (1 - alpha) * start.astype(np.float32) + alpha * end.astype(np.float32)
    return walked


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """(..., K) probabilities -> (...) Shannon entropy in nats: 0 if sure, log K if uniform."""
    terms = np.where(probabilities > 0, probabilities, 1)
    summed: np.ndarray = -(probabilities * np.log(terms)).sum(axis=-1)
    return np.maximum(summed, 0)


def ghosting(decoded: np.ndarray) -> np.ndarray:
    """How much of each decoded step is a mere cross-fade of the two decoded ends.

    A cross-fade X = (1 - a) x0 + a x1 shows both ends at once, each paler: a ghost. A morph shows
    one thing at each step. At a pixel p where the ends differ by d, the cross-fade is a d away from
    one and (1 - a) d from the other, so a picture that decides every pixel for either end (as the
    ends themselves do) is at least min(a, 1 - a) ||x1 - x0|| from the cross-fade. Hence

        ghosting(M) = 1 - ||M - X|| / (min(a, 1 - a) ||x1 - x0||), not below 0:

    1 for the cross-fade itself, and so at every step of an affine decoder; 0 for pictures as
    decided as the ends are, or farther away. Taken against the decoded ends, not the images, so
    that blur of the reconstruction does not count as a ghost.

    It does not say whether a decided picture looks like anything: the distance to real images does.

    Args:
        decoded: (S, ...) pixels of the steps, ends included.

    Returns:
        (S,) in [0, 1], NaN at both ends, which do not mix anything. Equal ends give 1 where
        nothing changes between them, else 0.
    """
    alpha = np.linspace(0, 1, len(decoded))
    flat = decoded.reshape(len(decoded), -1).astype(np.float64)
    away = np.linalg.norm(flat - path(flat[0], flat[-1], len(decoded)), axis=1)
    decided = np.minimum(alpha, 1 - alpha) * np.linalg.norm(flat[-1] - flat[0])
    same = decided < 1e-9
    share = np.where(same, np.where(away < 1e-6, 0, 1), away / np.where(same, 1, decided))
    ghosts: np.ndarray = np.clip(1 - share, 0, 1)
    ghosts[[0, -1]] = np.nan
    return ghosts

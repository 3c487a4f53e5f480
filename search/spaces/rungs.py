"""The epochs at which trials are compared, and what one of them may still gain from there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SHARES = (1 / 4, 1 / 2, 3 / 4)  # of a trial's epochs


def rungs(epochs: int) -> tuple[int, ...]:
    """The epochs after a quarter, a half and three quarters of a trial: 9 -> (2, 4, 7); 1 -> ()."""
    return tuple(sorted({round(share * epochs) for share in SHARES} - {0, epochs}))


def gain(value: float, ended: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean and standard deviation of what a trial gains from a rung until its end.

    After Domhan et al. (2015), "Speeding up automatic hyperparameter optimization by extrapolation
    of learning curves", of the gains of trials that ended, in which those weigh most whose values
    at that rung were near (Nadaraya, 1964).

    Args:
        value: the trial's at the rung.
        ended: (value at the rung, value at the end) of two or more others.
    """
    at_rung, at_end = np.array(ended).T
    gains = at_end - at_rung
    distance = (at_rung - value) / max(float(at_rung.std()), 1e-12)
    weights = np.exp(-(distance**2) / 2) + 1e-3  # far from all of them they weigh the same
    mean = float(np.average(gains, weights=weights))
    variance = np.average((gains - mean) ** 2, weights=weights) * len(ended) / (len(ended) - 1)
    return mean, math.sqrt(variance)

"""Checks that results which were stored, in the cache or in MLflow, make of themselves."""

from __future__ import annotations

import numpy as np


def has_shape(result: object, shape: tuple[int, ...], *names: str) -> None:
    """See that arrays of `result` have a shape.

    Raises:
        ValueError: which has not.
    """
    for name in names:
        found = getattr(result, name).shape
        if found != shape:
            raise ValueError(f"{name} must be {shape}, not {found}")


def lies_in(result: object, low: float, high: float, *names: str) -> None:
    """See that numbers or arrays of `result` lie in [low, high], rounding aside.

    Raises:
        ValueError: which does not.
    """
    for name in names:
        values = np.asarray(getattr(result, name))
        if not ((values >= low - 1e-6) & (values <= high + 1e-6)).all():
            raise ValueError(
                f"{name} outside [{low:g}, {high:g}]: {values.min()} to {values.max()}"
            )

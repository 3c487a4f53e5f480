"""The epochs at which the scheduler compares trials."""

from __future__ import annotations

SHARES = (1 / 4, 1 / 2, 3 / 4)  # of a trial's epochs


def rungs(epochs: int) -> tuple[int, ...]:
    """The epochs after a quarter, a half and three quarters of a trial: 9 -> (2, 4, 7); 1 -> ()."""
    return tuple(sorted({round(share * epochs) for share in SHARES} - {0, epochs}))

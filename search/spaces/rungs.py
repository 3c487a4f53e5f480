"""The epochs at which trials are compared."""

from __future__ import annotations

REDUCTION = 3  # of the trials that reach a rung, one in three goes on (Li et al., 2020, ASHA)


def rungs(epochs: int, grace: float) -> tuple[int, ...]:
    """The epochs at which trials are compared: the grace period, then three times it, and so on.

    `grace` is a share of `epochs`. The last epoch is no rung: nothing is stopped there.
    (9, 1/9) -> (1, 3); (9, 1/3) -> (3,); (6, 1/3) -> (2,); (1, ...) -> ().
    """
    at = max(1, round(grace * epochs))
    found = []
    while at < epochs:
        found.append(at)
        at *= REDUCTION
    return tuple(found)

"""The epochs at which the scheduler compares trials."""

from __future__ import annotations

REDUCTION = 3  # of the trials that reach a rung, one in three goes on (Li et al., 2020, ASHA)


def rungs(epochs: int, grace: float) -> tuple[int, ...]:
    """The epochs at which trials are compared: the grace period, three times it, and so on.

    `grace` is a share of `epochs`. The last epoch is not a rung: no trial is stopped there.
    (9, 1/9) -> (1, 3); (9, 1/3) -> (3,); (6, 1/3) -> (2,); (1, ...) -> ().
    """
    at = max(1, round(grace * epochs))
    rung_epochs = []
    while at < epochs:
        rung_epochs.append(at)
        at *= REDUCTION
    return tuple(rung_epochs)

"""Seeds that no search has used."""

from __future__ import annotations

import numpy as np

FRESH = 0xF12A1  # keeps these seeds apart from those of any search


def final_seeds(base: int, count: int) -> tuple[int, ...]:
    """`count` seeds that no search with the seed `base` has used; more of them begin alike."""
    return tuple(
        int(np.random.SeedSequence([base, FRESH, number]).generate_state(1)[0] >> 1)
        for number in range(count)
    )

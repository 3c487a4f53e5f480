"""One stratified order of a labelled set, from which every split and subset is cut as a prefix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def stratified_order(labels: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """A shuffled order of all rows in which every prefix holds the classes in proportion.

    Each class is shuffled and its n images are laid in the middles of n equal steps of [0, 1); all
    classes are then read off together, equal places in random order.  Any prefix so holds of each
    class its fair share rounded to a whole number, exactly where the shares are whole (a tenth of
    CIFAR-10's 50,000: 500 of each).  Prefixes are nested: a smaller subset lies in a larger.

    labels: (N,), any integers.  Returns a permutation of 0 .. N-1, the same for the same seed.
    """
    # Uniform doubles alone: numpy keeps their stream from version to version more firmly than that
    # of shuffle() or permutation(), and the split must outlive an upgrade.
    random = np.random.default_rng(seed)
    place = np.empty(len(labels), dtype=np.float64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        shuffled = rows[np.argsort(random.random(len(rows)), kind="stable")]
        place[shuffled] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.lexsort((random.random(len(labels)), place)).astype(np.int64)

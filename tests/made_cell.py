"""A cell made by hand, for tests that train nothing."""

from __future__ import annotations

from typing import Any

from search.cells.cell import Cell


def made_cell(**changes: Any) -> Cell:
    """A training of `mnist_supcon` on 120 images with seed 7, but for the changes."""
    fields = {
        "kind": "trained",
        "dataset": "mnist",
        "data": "0123456789abcdef",
        "train_size": 120,
        "seed": 7,
        "pipeline": "mnist_supcon",
        "params": {"width": 16, "lr": 1e-3, "block": "strided"},
        "epochs": 3,
    }
    return Cell(**{**fields, **changes})

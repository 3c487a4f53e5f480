"""Keeps what is expensive (latents, t-SNE) on disk, named by all that it depends on."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Arrays = Mapping[str, np.ndarray]


class Cache:
    """A folder of arrays.

    Args:
        folder: made when something is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(
        self,
        name: str,
        key: Mapping[str, object],
        compute: Callable[[], Arrays],
        *,
        only: bool = False,
    ) -> dict[str, np.ndarray]:
        """The arrays kept under `name` and `key`, or computed now and kept.

        Args:
            name: what it is: letters, digits and `_`.
            key: everything that the arrays follow from, JSON-able: weights, seeds, settings. The
                file that `compute` stands in is part of it by itself.
            only: forget what was kept under `name` and other keys.
        """
        text = json.dumps([dict(key), _code_of(compute)], sort_keys=True)
        file = self._folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
        if file.exists():
            with np.load(file) as stored:
                return {entry: stored[entry] for entry in stored.files}
        arrays = dict(compute())
        self._folder.mkdir(parents=True, exist_ok=True)
        for other in self._folder.glob(f"{name}-*.npz") if only else ():
            other.unlink(missing_ok=True)
        partial = file.with_name(f".{os.getpid()}-{file.name}")
        with partial.open("wb") as handle:
            np.savez(handle, **arrays)  # type: ignore[arg-type]
        partial.replace(file)
        return arrays


def _code_of(compute: Callable[[], Arrays]) -> str:
    """Of the file that it stands in; empty where there is none, as in a notebook."""
    file = getattr(sys.modules.get(compute.__module__), "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""

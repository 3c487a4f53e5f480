"""Keeps what is expensive (latents, t-SNE) on disk, named by all that it depends on."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from search.files import durable, fingerprint

Arrays = Mapping[str, np.ndarray]
CODE = (
    *("models/**/*.py", "trainers/**/*.py"),
    *("search/spaces/rebuild.py", "search/spaces/builders.py"),
)


class Cache:
    """A folder of arrays.

    Args:
        folder: the cache makes it when it keeps something.
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
                file that `compute` stands in, and the code that it calls, are part of it.
            only: forget what was kept under `name` and other keys.
        """
        text = json.dumps([dict(key), _code_of(compute)], sort_keys=True)
        file = self._folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
        # The file is missing, or numpy's reader fails in some way on a damaged one.
        with suppress(Exception), np.load(file) as stored:
            return {entry: stored[entry] for entry in stored.files}
        arrays = dict(compute())
        for other in self._folder.glob(f"{name}-*.npz") if only else ():
            other.unlink(missing_ok=True)
        with durable.replacing(file) as handle:
            np.savez(handle, **arrays)  # type: ignore[arg-type]
        return arrays


def _code_of(compute: Callable[[], Arrays]) -> str:
    """Hash the file of `compute`, if it is not in a notebook, and the code that it uses."""
    file = getattr(sys.modules.get(compute.__module__), "__file__", None)
    return fingerprint.of_code(*CODE, file=Path(file) if file else None)

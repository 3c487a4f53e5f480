"""Keeps what is expensive (latents, t-SNE) on disk, typed, named by all that it depends on."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from search.files import durable, fingerprint

T = TypeVar("T")
NONE = np.zeros((), dtype="V1")  # numpy keeps it without pickling, and nobody computes with it
CODE = "models/**/*.py", "trainers/**/*.py", "search/spaces/rebuild.py", "search/spaces/builders.py"


class Cache:
    """A folder of results.

    Args:
        folder: the cache makes it when it keeps something.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(
        self,
        name: str,
        key: Mapping[str, object],
        compute: Callable[[], T],
        *,
        kind: Any = dict,
        only: bool = False,
    ) -> T:
        """The result kept under `name` and `key`, or computed now and kept.

        Args:
            name: what it is: letters, digits and `_`.
            key: everything that the result follows from, JSON-able: weights, seeds, settings. The
                file that `compute` stands in, and the code that it calls, are part of it.
            kind: makes the result from its fields: a dataclass whose fields are arrays, numbers,
                words or None; or `dict`.
            only: forget what was kept under `name` and other keys.
        """
        text = json.dumps([dict(key), _code_of(compute)], sort_keys=True)
        file = self._folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
        # The file is missing, or numpy's reader fails in some way on a damaged one.
        with suppress(Exception), np.load(file) as stored:
            fields = {entry: _field(stored[entry]) for entry in stored.files}
            return cast(T, kind(**fields))
        result = compute()
        for other in self._folder.glob(f"{name}-*.npz") if only else ():
            other.unlink(missing_ok=True)
        with durable.replacing(file) as handle:
            fields = dict(result if isinstance(result, dict) else vars(result))
            fields |= {name: NONE for name, value in fields.items() if value is None}
            np.savez(handle, **fields)
        return result


def _field(array: np.ndarray) -> Any:
    """An array, a number, a word or None, as it was before numpy kept it as an array."""
    if array.dtype == NONE.dtype:
        return None
    return array.item() if array.ndim == 0 else array


def _code_of(compute: Callable[[], object]) -> str:
    """Hash the file of `compute`, if it is not in a notebook, and the code that it uses."""
    function = getattr(compute, "func", compute)  # of a functools.partial
    file = getattr(sys.modules.get(function.__module__), "__file__", None)
    return fingerprint.of_code(*CODE, file=Path(file) if file else None)

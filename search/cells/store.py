"""The folders of all cells: each whole or not there, with hashes that tell damage."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from models import LatentModel
from search.cells.cell import (
    METRICS,
    MODEL,
    TEST_METRICS,
    Cell,
    Curves,
    code_fingerprint,
    damaged_test,
    damaged_training,
    test_outputs,
)
from search.files import durable, seals
from search.files.seals import file_hash
from search.spaces.rebuild import rebuild
from search.trials.checkpoint import WEIGHTS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedCell:
    """A cell whose folder is there."""

    cell: Cell
    folder: Path

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics after the last epoch, train and validation."""
        return dict(self.curves[-1])

    @property
    def curves(self) -> Curves:
        """The metrics of each epoch, with `epoch` and `timestamp` (milliseconds)."""
        return list(json.loads((self.folder / METRICS).read_bytes()))

    @property
    def began(self) -> int:
        """When its first epoch began, in milliseconds."""
        first = self.curves[0]
        spent = first.get("time/epoch_seconds", 0.0) + first.get("time/evaluation_seconds", 0.0)
        return int(first["timestamp"] - 1000 * spent)

    @property
    def ended(self) -> int:
        """When its last epoch ended, in milliseconds."""
        return int(self.curves[-1]["timestamp"])

    @property
    def model(self) -> dict[str, Any]:
        """Enough to rebuild the model, and where and when it was trained."""
        return dict(json.loads((self.folder / MODEL).read_bytes()))

    def network(self, device: torch.device | str = "cpu") -> LatentModel:
        """The trained network, in eval mode."""
        return rebuild(self.model, load_file(self.folder / WEIGHTS)).to(device)

    def weights_hash(self) -> str:
        """16 hex digits: which weights a number belongs to."""
        return file_hash(self.folder / WEIGHTS)

    @property
    def tested(self) -> bool:
        """Whether the test set was read for it, and all of that is there."""
        return damaged_test(self.folder) is None

    @property
    def test(self) -> dict[str, Any]:
        """The record of the reading of the test set."""
        return dict(json.loads((self.folder / TEST_METRICS).read_bytes()))

    def test_outputs(self) -> dict[str, np.ndarray]:
        """What was predicted for each test image."""
        return test_outputs(self.folder)


class CellStore:
    """The folders of all cells.

    Args:
        folder: `mlruns/finals`.
        say: is told which file is missing or damaged, once for each cell.
    """

    def __init__(self, folder: Path, say: Callable[[str], object] = log.warning) -> None:
        self.folder = folder
        self._say = say
        self._told: set[Path] = set()

    @property
    def trials(self) -> Path:
        """Has a folder for each training under way."""
        return self.folder / "trials"

    def find(self, cell: Cell) -> TrainedCell | None:
        """The cell, if it is there with all that it needs, whole."""
        folder = self.folder / cell.id
        if not folder.exists():
            return None
        damaged = damaged_training(folder)
        if damaged and folder not in self._told:
            self._told.add(folder)
            self._say(f"{folder / damaged} is missing or damaged; its cell is made again")
        return None if damaged else TrainedCell(cell, folder)

    def found(self, cells: Iterable[Cell]) -> list[TrainedCell]:
        """Those that are there, in order."""
        return [kept for cell in cells if (kept := self.find(cell))]

    def missing(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those that are not there, each once, in order."""
        return [cell for cell in dict.fromkeys(cells) if self.find(cell) is None]

    def keep(
        self,
        cell: Cell,
        *,
        weights: Path | Mapping[str, Tensor],
        curves: Curves,
        facts: Mapping[str, Any],
    ) -> TrainedCell:
        """Make the cell's folder; `weights` as a file is moved there.

        Args:
            facts: stored beside the cell's own fields: where it was trained, with what.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in self.folder.glob(f".{cell.id}.*"):
            shutil.rmtree(stale)  # of a process that was killed: one driver holds the lock
        new = self.folder / f".{cell.id}.{os.getpid()}"
        new.mkdir()
        if isinstance(weights, Path):
            shutil.move(weights, new / WEIGHTS)
            durable.sync(new / WEIGHTS)
        else:
            durable.write(new / WEIGHTS, save(dict(weights)))
        durable.write(new / METRICS, json.dumps(curves, indent=1))
        described = {**cell.to_json(), "cell": cell.id, "code": code_fingerprint(), **facts}
        sealed = seals.seal(described, {name: new / name for name in (WEIGHTS, METRICS)})
        durable.write(new / MODEL, json.dumps(sealed, indent=2))
        target = self.folder / cell.id
        if target.exists():  # damaged, else it would not be made again
            shutil.rmtree(target)
        new.rename(target)
        durable.sync(self.folder)
        return TrainedCell(cell, target)

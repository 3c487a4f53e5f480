"""Cells in training, with a worker that tells what a real one would."""

from __future__ import annotations

import io
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.cells import training
from search.cells.cell import Cell
from search.cells.store import CellStore
from search.cli.signals import StopOnSignal
from search.cluster.resources import Resources
from search.errors import FAILED, UserError
from search.spaces.pipeline import METRIC
from tests.made_cell import made_cell
from tests.search.ready import few
from trainers.data import TrainingData

CELL = made_cell(epochs=2)
CPU = Resources()


def train(cells: list[Cell], cell_store: CellStore, data: TrainingData) -> dict[Cell, str]:
    return training.train_cells(
        cells,
        plan=SimpleNamespace(
            resources=CPU, address=None, home=cell_store.folder.parent, quiet=True
        ),
        cell_store=cell_store,
        title="t",
        data=data,
        screen=io.StringIO(),
        stop=StopOnSignal(),
    )


def test_a_full_disk_ends_it_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made of fewer cells than were asked for."""
    cells = [CELL, replace(CELL, seed=8)]
    cell_store = CellStore(tmp_path / "finals")
    checkpoint = cell_store.trials / CELL.id / "checkpoint.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()

    def worker(source: Any, **unused: object) -> None:
        source.suggest("a")
        ended = {"epoch": 2, f"metrics/{METRIC}": 0.5, "halted": "/full: no space\nmake room"}
        source.on_trial_complete("a", ended)

    monkeypatch.setattr(training, "train", worker)
    monkeypatch.setattr(training.ray_session, "running", lambda *unused: nullcontext())
    with pytest.raises(UserError, match="/full: no space\nmake room and call again") as caught:
        train(cells, cell_store, few("mnist"))
    assert caught.value.status == FAILED
    assert checkpoint.exists()
    assert cell_store.missing(cells) == cells


def test_what_a_killed_process_left_of_a_whole_cell_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the cell was kept, before its trial's folder was removed."""
    cell_store = CellStore(tmp_path / "finals")
    left, other = cell_store.trials / CELL.id, cell_store.trials / "another"
    for folder in (left, other):
        folder.mkdir(parents=True)
    monkeypatch.setattr(CellStore, "missing", lambda self, cells: [])
    assert train([CELL], cell_store, few("mnist")) == {}
    assert other.exists() and not left.exists()

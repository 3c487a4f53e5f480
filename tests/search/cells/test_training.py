"""Cells in training, with a worker that tells what a real one would."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from search.errors import FAILED, UserError
from search.finals import training
from search.finals.cells import Cell, Shelf
from search.pipeline import METRIC
from search.ray_run import StopOnSignal
from search.resources import Resources
from trainers.data import TrainingData

CELL = Cell(
    kind="trained",
    dataset="mnist",
    data="0123456789abcdef",
    train_size=120,
    seed=7,
    pipeline="mnist_supcon",
    params={"width": 16},
    epochs=2,
)
CPU = Resources(
    device="cpu", concurrency=1, cpus_per_trial=1, gpus_per_trial=0.0, precision="float32"
)


def test_a_full_disk_ends_it_and_keeps_the_checkpoint(
    few: Callable[[str], TrainingData], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made of fewer cells than were asked for."""
    cells = [CELL, replace(CELL, seed=8)]
    shelf = Shelf(tmp_path / "finals")
    checkpoint = shelf.trials / CELL.id / "checkpoint.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()

    def worker(source: Any, **unused: object) -> None:
        source.suggest("a")
        ended = {"epoch": 2, METRIC: 0.5, "unsaved": "cannot write weights to /full"}
        source.on_trial_complete("a", ended)

    monkeypatch.setattr(training, "train", worker)
    with pytest.raises(UserError, match="cannot write weights to /full\nmake room") as caught:
        training.train_cells(
            cells,
            shelf=shelf,
            title="t",
            data=few("mnist"),
            resources=CPU,
            address=None,
            home=tmp_path,
            screen=io.StringIO(),
            quiet=True,
            stop=StopOnSignal(),
        )
    assert caught.value.status == FAILED
    assert checkpoint.exists()
    assert shelf.missing(cells) == cells

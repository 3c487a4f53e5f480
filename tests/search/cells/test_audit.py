"""What the doctor finds of a cell that is damaged, and what is left of it to be made again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from search.cells.cell import METRICS, TEST_METRICS, TEST_OUTPUTS, Cell
from search.cells.store import CellStore, TrainedCell
from search.doctor import main
from search.files import seals
from search.trials.checkpoint import WEIGHTS
from tests.damage import flip
from tests.stores import prepare

TRAINING = {"model.json", METRICS, WEIGHTS}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainedCell:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    cell = Cell(kind="pixels", dataset="mnist", data="0" * 16, train_size=9, seed=1)
    curves = [{"epoch": 1, "valid/accuracy": 0.5, "timestamp": 1000.0}]
    cell_store = CellStore(tmp_path / "mlruns" / "finals")
    made = cell_store.keep(cell, weights={"w": torch.ones(9)}, curves=curves, facts={})
    np.savez(made.folder / TEST_OUTPUTS, labels=np.arange(9))
    read = {"reading": {"weights": made.weights_hash()}}
    sealed = seals.seal(read, {TEST_OUTPUTS: made.folder / TEST_OUTPUTS})
    (made.folder / TEST_METRICS).write_text(json.dumps(sealed))
    return made


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("model.json", set()),
        (METRICS, set()),
        (WEIGHTS, set()),
        (TEST_METRICS, TRAINING),
        (TEST_OUTPUTS, TRAINING),
    ],
)
def test_a_damaged_file_is_named_and_what_follows_from_it_goes_to_the_trash(
    kept: TrainedCell, name: str, left: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 0, capsys.readouterr().out
    flip(kept.folder / name)
    capsys.readouterr()
    assert main([]) == 1
    out = capsys.readouterr().out
    assert name in out and kept.cell.id in out and "missing or damaged" in out
    assert main(["--fix"]) == 0
    assert {file.name for file in kept.folder.glob("*")} == left
    assert list(Path("mlruns/trash").glob(f"*/finals/{kept.cell.id}/{name}"))
    assert main([]) == 0


def test_a_cell_that_was_not_tested_is_whole(kept: TrainedCell) -> None:
    for name in (TEST_METRICS, TEST_OUTPUTS):
        (kept.folder / name).unlink()
    assert main([]) == 0

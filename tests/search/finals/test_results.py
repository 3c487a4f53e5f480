"""The rows of a table from the cells on a cell_store, and what follows from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from search.cells.cell import TEST_METRICS, TEST_OUTPUTS
from search.cells.metrics import METRICS, TEST, cell_metrics
from search.cells.statistics import accuracy, estimate
from search.cells.store import CellStore, TrainedCell
from search.finals.results import Result, ResultRow
from search.spaces.pipeline import METRIC
from tests.made_cell import made_cell

MakeKept = Callable[..., TrainedCell]


@pytest.fixture
def make_kept(tmp_path: Path) -> MakeKept:
    """(seed, validation accuracy, test accuracy, other last metrics) -> a cell of two epochs."""
    cell_store = CellStore(tmp_path / "finals")

    def make(
        seed: int, valid: float, test: float | None = None, mae: float | None = None, **last: float
    ) -> TrainedCell:
        cell = made_cell(seed=seed, params={"width": 16, "lr": 1e-3}, epochs=2)
        times = {"time/epoch_seconds": 1.5, "time/evaluation_seconds": 0.25}
        named = {name.replace("__", "/"): value for name, value in last.items()}
        curves = [
            {"epoch": 1.0, METRIC: 0.1, "timestamp": 1000.0, **times},
            {"epoch": 2.0, METRIC: valid, "timestamp": 2000.0, **times, **named},
        ]
        kept = cell_store.keep(cell, weights={"w": torch.zeros(1)}, curves=curves, facts={})
        if test is not None:
            said: dict[str, Any] = {"accuracy": test, "per_class": [test] * 3, "images": 10}
            if mae is not None:
                said["mae"] = mae
            wrong = np.arange(10) >= round(10 * test)
            np.savez(kept.folder / TEST_OUTPUTS, labels=np.zeros(10), predictions=wrong)
            (kept.folder / TEST_METRICS).write_text(json.dumps(said))
        return kept

    return make


def row(*kept: TrainedCell, name: str = "champion") -> ResultRow:
    return ResultRow(name=name, kind="final", kept=kept, uses_labels=True, note="said")


def result(*rows: ResultRow, promised: float | None = 0.9) -> Result:
    data: Any = SimpleNamespace(
        label="mini", fingerprint="d", train=range(120), classes=("0", "1", "2")
    )
    return Result(
        pipeline="mnist_supcon",
        experiment="mnist_supcon-mini",
        experiment_id="7",
        run_id="r",
        data=data,
        rows=rows,
        promised=promised,
        source="trial 2 of s",
        failures={"ablation seed 3": "loss is nan"},
        model={"name": "mnist_supcon-mini", "version": "1"},
    )


# A cell --------------------------------------------------------------------------------------


def test_a_cell_counts_after_its_last_epoch_and_with_all_its_time(make_kept: MakeKept) -> None:
    kept = make_kept(1, 0.8, train__accuracy=0.85, valid__mae=0.1, train__lr=0.01)
    assert cell_metrics(kept) == {
        METRIC: 0.8,
        "train/accuracy": 0.85,
        "valid/mae": 0.1,
        "time/train_seconds": 3.0,
        "time/evaluation_seconds": 0.5,
    }


def test_a_tested_cell_has_its_test_metrics(make_kept: MakeKept) -> None:
    assert TEST not in cell_metrics(make_kept(1, 0.8))
    tested = cell_metrics(make_kept(2, 0.8, 0.75))
    assert tested[TEST] == 0.75 and "test/mae" not in tested
    assert cell_metrics(make_kept(3, 0.8, 0.75, mae=0.2))["test/mae"] == 0.2


def test_a_cell_that_nobody_trained_took_no_time_to_train(tmp_path: Path) -> None:
    cell = made_cell(kind="pca", pipeline="", params={}, epochs=0)
    curves = [{"epoch": 0.0, METRIC: 0.5, "time/evaluation_seconds": 2.0, "timestamp": 1.0}]
    kept = CellStore(tmp_path).keep(cell, weights={"w": torch.zeros(1)}, curves=curves, facts={})
    assert cell_metrics(kept) == {METRIC: 0.5}


# A row ---------------------------------------------------------------------------------------


def test_a_row_gathers_a_value_a_seed_in_the_order_of_the_table(make_kept: MakeKept) -> None:
    made = row(
        make_kept(1, 0.8, 0.7, train__accuracy=0.9), make_kept(2, 0.6, 0.5, train__accuracy=0.7)
    )
    assert made.metrics == {
        "train/accuracy": [0.9, 0.7],
        METRIC: [0.8, 0.6],
        TEST: [0.7, 0.5],
        "time/train_seconds": [3.0, 3.0],
        "time/evaluation_seconds": [0.5, 0.5],
    }
    assert list(made.metrics) == [name for name in METRICS if name in made.metrics]
    assert made.estimate(METRIC) == estimate([0.8, 0.6])


def test_a_metric_that_one_seed_lacks_is_none_of_the_row(make_kept: MakeKept) -> None:
    made = row(make_kept(1, 0.8, 0.7, valid__mae=0.1), make_kept(2, 0.6))
    assert set(made.metrics) == {METRIC, "time/train_seconds", "time/evaluation_seconds"}
    assert made.estimate(TEST) is None and made.estimate("valid/mae") is None
    assert made.to_json()["test"] == []


def test_a_row_as_json(make_kept: MakeKept) -> None:
    kept = make_kept(5, 0.8, 0.7), make_kept(6, 0.6, 0.5)
    said = replace(row(*kept), promised=0.9).to_json()
    assert json.loads(json.dumps(said)) == said
    assert (said["name"], said["kind"], said["note"]) == ("champion", "final", "said")
    assert said["uses_labels"] is True and said["promised"] == 0.9
    assert said["cells"] == [one.cell.id for one in kept] and said["seeds"] == [5, 6]
    assert said["params"] == {"width": 16, "lr": 1e-3} and said["epochs"] == 2
    assert said["metrics"][TEST] == [0.7, 0.5]
    mean = accuracy(np.stack([np.arange(10) < right for right in (7, 5)]))
    assert mean.mean == 0.6 and said["means"][METRIC]["mean"] == pytest.approx(0.7)
    assert said["means"][TEST] == {"mean": mean.mean, "low": mean.low, "high": mean.high, "n": 2}
    assert [one["accuracy"] for one in said["test"]] == [0.7, 0.5]


# A result ------------------------------------------------------------------------------------


def test_optimism_is_what_was_promised_beyond_what_fresh_seeds_gave(make_kept: MakeKept) -> None:
    """On validation images: the test set plays no part."""
    champion, other = row(make_kept(1, 0.8, 0.2), make_kept(2, 0.7, 0.2)), row(make_kept(3, 0.1))
    assert result(champion, other, promised=0.9).optimism == pytest.approx(0.15)
    assert result(champion, other, promised=0.5).optimism == pytest.approx(-0.25)
    assert result(champion, other, promised=0.0).optimism == pytest.approx(-0.75)
    assert result(champion, other, promised=None).optimism is None

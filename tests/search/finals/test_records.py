"""Whatever of a rerun stands in MLflow already is found, completed and not written twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run

from search.cells import heldout
from search.cells.baselines import make
from search.cells.store import CellStore, TrainedCell
from search.cells.training import facts
from search.finals.plan import FinalPlan
from search.finals.records import Records
from search.finals.results import ResultRow
from search.tracking.store import Store
from search.trials.trial import TrialImages
from tests.damage import flip
from tests.search.ready import few, planned

NAME = "mnist_contrastive"


@dataclass
class Made:
    """A rerun that is planned, and a cell of it."""

    plan: FinalPlan
    store: Store
    kept: TrainedCell

    def record(self, records: Records | None = None, **tags: str) -> str:
        records = records or Records(self.plan, self.store)
        row = ResultRow(
            name="random encoder", kind="baseline", kept=(self.kept,), uses_labels=False
        )
        return records.record(row, tags)[self.kept.cell.id]

    def measure(self, ledger: Path) -> dict[str, Any]:
        """The cell on the test set."""
        test = heldout.TestSet(self.plan.data, data_dir=None, ledger=ledger, device="cpu")
        return test.read(self.kept, purpose="a test")

    def run(self, run_id: str) -> Run:
        return self.store.client.get_run(run_id)

    def runs(self) -> list[Run]:
        return list(self.store.client.search_runs([self.store.find_experiment(f"{NAME}-mini")]))

    def points(self, run_id: str) -> int:
        return len(self.store.client.get_metric_history(run_id, "valid/accuracy"))


@pytest.fixture
def made(tmp_path: Path) -> Made:
    plan, store = planned(tmp_path, "--seeds", "2")
    kept = make(
        plan.cells("random_encoder", plan.candidates[0].params)[0],
        cell_store=CellStore(tmp_path / "mlruns" / "finals"),
        images=TrialImages.load(few("mnist"), "cpu"),
        resources=plan.resources,
        facts=facts(plan.resources),
    )
    return Made(plan, store, kept)


def test_a_cell_that_was_recorded_is_found_again(made: Made) -> None:
    records = Records(made.plan, made.store)
    first = made.record(records)
    other = Records(made.plan, made.store)
    assert other.run_id == records.run_id
    assert {made.record(records), made.record(other), made.record()} == {first}
    assert len(made.runs()) == 2
    run = made.run(first)
    assert run.info.status == "FINISHED"
    assert (run.data.tags["recorded"], made.points(first)) == ("trained", 1)
    assert run.data.params["width"] == "4"


def test_the_readings_numbers_are_added_to_the_run(made: Made, tmp_path: Path) -> None:
    first = made.record()
    numbers = made.measure(tmp_path / "ledger")
    assert made.record() == first
    run = made.run(first)
    assert run.data.metrics["test/accuracy"] == numbers["accuracy"]
    assert (run.data.tags["recorded"], made.points(first)) == ("tested", 1)
    assert run.info.status == "FINISHED"
    names = {file.path for file in made.store.client.list_artifacts(first)}
    assert names == {"model.json", "weights.safetensors", "test.json", "test.npz"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.json", "weights.safetensors", "test.json", "test.npz"])
@pytest.mark.parametrize("damage", [Path.unlink, flip])
def test_what_is_lost_in_mlflow_is_restored_from_the_cell(
    made: Made, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    made.measure(tmp_path / "ledger")
    run_id = made.record()
    points = made.points(run_id)
    [there] = (tmp_path / "mlruns" / "artifacts").glob(f"*/{run_id}/artifacts/{name}")
    whole = there.read_bytes()
    damage(there)
    records = Records(made.plan, made.store)
    assert made.record(records) == run_id
    assert records.restored == [f"{name} of random encoder, seed 1 (run {run_id})"]
    assert there.read_bytes() == whole
    assert made.points(run_id) == points
    assert made.record(again := Records(made.plan, made.store)) == run_id
    assert again.restored == []


@pytest.mark.parametrize("broken", ["log", "log_file", "end_run"])
def test_a_run_that_was_half_written_is_completed(
    made: Made, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """As where the process was killed at that point."""
    records = Records(made.plan, made.store)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Store, broken, killed)
        with pytest.raises(KeyboardInterrupt):
            made.record(records)
    [half] = [run for run in made.runs() if run.data.tags["kind"] == "baseline"]
    assert half.info.status == "RUNNING"
    assert made.record() == half.info.run_id
    run = made.run(half.info.run_id)
    assert (run.info.status, run.data.tags["recorded"]) == ("FINISHED", "trained")
    assert made.points(run.info.run_id) == 1
    assert len(made.runs()) == 2


def test_a_tag_that_came_later_is_added(made: Made) -> None:
    first = made.record()
    assert made.record(champion="true") == first
    assert made.run(first).data.tags["champion"] == "true"
    assert made.points(first) == 1


def test_the_end_closes_whatever_is_open(made: Made) -> None:
    records = Records(made.plan, made.store)
    child = made.record(records)
    made.store.reopen_run(child)
    records.end("KILLED")
    assert {run.info.status for run in made.runs()} == {"KILLED"}
    assert Records(made.plan, made.store).run_id == records.run_id
    assert made.run(records.run_id).info.status == "RUNNING"


def test_another_choice_is_another_rerun(made: Made) -> None:
    one = Records(made.plan, made.store)
    fewer = Records(replace(made.plan, seeds=made.plan.seeds[:1]), made.store)
    assert one.run_id != fewer.run_id
    assert {made.run(r.run_id).data.params["seeds"] for r in (one, fewer)} == {"1", "2"}

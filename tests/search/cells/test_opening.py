"""What MLflow holds is compared with what was recorded, before anybody believes it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from search.cells import heldout
from search.cells.opening import COMMAND, open_cell, open_trial, read_sealed, rerun_command
from search.cells.store import TrainedCell
from search.errors import UserError
from search.files import seals
from search.finals.best_rerun import finished_reruns, write_result
from search.tracking.store import Store
from tests.damage import flip
from tests.search.ready import make_config
from trainers.data import TrainingData

NAMES = ("model.json", "weights.safetensors", "test.json", "test.npz")


@pytest.fixture(scope="module")
def kept(
    make_kept: Callable[..., TrainedCell],
    digits: TrainingData,
    tmp_path_factory: pytest.TempPathFactory,
) -> TrainedCell:
    """A cell that nobody trains, measured on the test set."""
    made = make_kept(pipeline="mnist_supervised")
    ledger = tmp_path_factory.mktemp("kept") / heldout.LEDGER
    test = heldout.TestSet(digits, data_dir=None, ledger=ledger, device="cpu")
    test.read(made, purpose="a test")
    return made


@pytest.fixture
def run_id(store: Store, kept: TrainedCell) -> str:
    """A run that holds the cell's files."""
    made = store.start_run(store.experiment("mnist_supervised-mini"), name="cell", tags={})
    for name in NAMES:
        store.log_file(made, kept.folder / name)
    return made


def artifact(tmp_path: Path, run_id: str, name: str) -> Path:
    [found] = (tmp_path / "mlruns" / "artifacts").glob(f"*/{run_id}/artifacts/{name}")
    return found


def test_a_cell_is_opened(store: Store, run_id: str, kept: TrainedCell) -> None:
    opened = open_cell(store, run_id, again="", test=True)
    assert opened.weights == kept.weights_hash() == kept.test["reading"]["weights"]
    assert opened.info == kept.model
    assert (opened.stored["labels"] == kept.test_outputs()["labels"]).all()
    assert not open_cell(store, run_id, again="").stored


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", [Path.unlink, flip])
def test_what_is_damaged_is_named_with_what_mends_it(
    store: Store, run_id: str, tmp_path: Path, name: str, damage: Callable[[Path], object]
) -> None:
    damage(artifact(tmp_path, run_id, name))
    with pytest.raises(UserError) as caught:
        open_cell(store, run_id, again="python search/rerun.py", test=True)
    assert str(caught.value) == (
        f"{name} of the MLflow run {run_id} is gone or damaged\n"
        "make it again: python search/rerun.py"
    )
    assert caught.value.status == 1


def test_a_trials_weights_are_those_that_were_recorded(
    store: Store, run_id: str, kept: TrainedCell, tmp_path: Path
) -> None:
    config = make_config(changes=kept.cell.params)
    store.log_text(run_id, json.dumps(config.to_json()), "config.json")

    def open_() -> str:
        return open_trial(store, run_id, again="rerun").weights

    flip(artifact(tmp_path, run_id, "weights.safetensors"))
    assert open_() != kept.weights_hash(), "nothing was recorded: nothing to compare"
    store.log(run_id, tags={seals.WEIGHTS_TAG: kept.weights_hash()})
    with pytest.raises(UserError, match=r"weights.safetensors of the MLflow run .* is gone or"):
        open_()
    store.log_file(run_id, kept.folder / "weights.safetensors")
    assert open_() == kept.weights_hash()


def test_a_result_that_is_damaged_is_told_and_hides_no_other(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    experiment = store.experiment("mnist_supervised-mini")
    tags = {"kind": "rerun", "pipeline": "mnist_supervised", "data": "mini"}
    runs = []
    for number in (1, 2):
        runs.append(store.start_run(experiment, name="rerun", tags=tags))
        write_result(store, runs[-1], {"number": number, "rows": [0.25]})
        store.end_run(runs[-1], "FINISHED")
    assert {one.result["number"] for one in finished_reruns(store, experiment)} == {1, 2}
    file = artifact(tmp_path, runs[0], "results.json")
    file.write_text(file.read_text().replace("0.25", "0.35"))
    with caplog.at_level(logging.WARNING):
        assert [one.run.run_id for one in finished_reruns(store, experiment)] == runs[1:]
    assert caplog.messages == [
        f"results.json of the MLflow run {runs[0]} is gone or damaged\n"
        "make it again: python search/rerun.py --pipeline mnist_supervised --data mini"
    ]
    assert read_sealed(store, runs[1], "results.json", again="") == {"number": 2, "rows": [0.25]}


def test_the_command_is_the_one_that_was_noted_else_it_names_the_data() -> None:
    plain = "python search/rerun.py --pipeline mnist_vae"
    assert rerun_command({}, "mnist_vae") == plain
    assert rerun_command({}, "mnist_vae-mini") == f"{plain} --data mini"
    assert rerun_command({COMMAND: "python x"}, "mnist_vae-mini") == "python x"

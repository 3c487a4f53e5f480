"""MLflow's store in real SQLite files: made once, probed first, written in batches."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from search.errors import UserError
from search.files.sqlite import sqlite_uri
from search.study.storage import open_storage
from search.tracking.store import Store, open_existing
from tests.stores import prepare

ROOT = Path(__file__).resolve().parents[3]
MAKE = "from sys import argv; from search.tracking.store import Store; "
MAKE += "Store(argv[1]).experiment(argv[2])"


# The store itself -------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_that_make_the_same_store_both_succeed(tmp_path: Path) -> None:
    """A store half made by a killed process lies there already."""
    file = tmp_path / "deep" / "mlflow.db"
    file.parent.mkdir()
    stale = file.with_name(f".{file.name}.999.new")
    stale.write_text("half made")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", MAKE, f"sqlite:///{file}", name],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    client = MlflowClient(tracking_uri=f"sqlite:///{file}")
    names = {experiment.name for experiment in client.search_experiments()}
    assert {"one", "two"} <= names
    assert not list(file.parent.glob("*.new*")) + list(file.parent.glob(".*.new*"))


def test_a_relative_address_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the documentation of MLflow: sqlite:///mlflow.db."""
    monkeypatch.chdir(tmp_path)
    store = Store("sqlite:///mine.db")
    run_id = store.start_run(store.experiment("e"), name="r", tags={})
    store.log_text(run_id, "text", "a.txt")
    assert (tmp_path / "mine.db").is_file()
    assert store.client.get_run(run_id).info.artifact_uri.startswith(
        f"file://{tmp_path}/mine.db.artifacts/"
    )


def test_a_deleted_experiment_is_told_of(store: Store) -> None:
    experiment = store.experiment("gone")
    store.client.delete_experiment(experiment)
    with pytest.raises(UserError, match=f"--experiment-id {experiment}") as caught:
        store.experiment("gone")
    assert caught.value.status == 1


# Runs -------------------------------------------------------------------------------------------


def test_a_run_is_found_by_its_tags(store: Store) -> None:
    here, there = store.experiment("here"), store.experiment("there")
    one = store.start_run(here, name="one", tags={"kind": "trial", "trial_id": "a"})
    store.start_run(there, name="two", tags={"kind": "trial", "trial_id": "b"})
    assert store.find_run(here, kind="trial", trial_id="a") == one
    assert store.find_run(here, kind="study", trial_id="a") is None
    assert store.find_run(here, trial_id="b") is None
    assert store.find_trial("a") == one
    assert store.find_trial("c") is None


def test_a_batch_costs_one_call(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real = MlflowClient.log_batch

    def log_batch(*given: object, **named: object) -> object:
        calls.append("batch")
        return real(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(MlflowClient, "log_batch", log_batch)
    for name in ("log_metric", "log_param", "set_tag"):
        monkeypatch.setattr(MlflowClient, name, lambda *_, name=name, **__: calls.append(name))
    run_id = store.start_run(store.experiment("e"), name="r", tags={})
    store.log(run_id, metrics={f"m{n}": 1.0 for n in range(20)}, params={"a": 1}, tags={"b": "c"})
    assert calls == ["batch"]


@pytest.mark.parametrize("name", ["q?x=1", "per%20cent #ü", "100%"])
def test_a_folder_of_any_name_holds_all_that_is_written(tmp_path: Path, name: str) -> None:
    folder = prepare(tmp_path / name)
    open_storage(folder / "mlruns").engine.dispose()
    store = Store(sqlite_uri(folder / "mlruns" / "mlflow.db"))
    run = store.start_run(store.experiment("e"), name="r", tags={})
    store.log_text(run, "it", "said.txt")
    assert store.read_text(run, "said.txt") == "it"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert {"mlflow.db", "optuna.db", "artifacts"} <= {
        path.name for path in (folder / "mlruns").iterdir()
    }
    assert len([*folder.rglob("said.txt")]) == 1


@pytest.mark.parametrize(
    ("schema", "said"), [("ffffffffffff", "newer MLflow"), ("0584bdc529eb", "older MLflow")]
)
def test_a_schema_of_another_mlflow(tmp_path: Path, schema: str, said: str) -> None:
    file = prepare(tmp_path) / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (schema,))
        database.commit()
    with pytest.raises(UserError, match=said) as caught:
        open_existing(sqlite_uri(file))
    assert str(file) in str(caught.value)

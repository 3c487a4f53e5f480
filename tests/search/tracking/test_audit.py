"""Which artifacts are nobody's, and where they go."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from search.doctor import main
from search.files import locks
from search.tracking import audit
from search.tracking.audit import HOUR
from search.tracking.store import Store
from tests.stores import prepare

NAME = "mnist_supervised-mini"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With two databases, as after `--tracking-uri sqlite:///mlruns/other.db`."""
    made = prepare(tmp_path) / "mlruns"
    shutil.copy(made / "mlflow.db", made / "other.db")
    monkeypatch.chdir(tmp_path)
    return made


def add_run(database: Path, *, artifacts: Path) -> Path:
    """A run in a database; returns where its artifacts are."""
    store = Store(f"sqlite:///{database}")
    if store.find_experiment(NAME) is None:
        store.client.create_experiment(NAME, artifact_location=(artifacts / NAME).as_uri())
    run_id = store.start_run(store.experiment(NAME), name="r", tags={})
    store.log_text(run_id, "weights", "weights.txt")
    store.end_run(run_id, "FINISHED")
    return age(artifacts / NAME / run_id)


def age(folder: Path, seconds: int = 2 * HOUR) -> Path:
    """Make it older than it is."""
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (path.stat().st_mtime - seconds,) * 2)
    return folder


def leave(home: Path, letter: str = "a") -> Path:
    """Artifacts of no run, of two hours ago, in an experiment that has a run."""
    beside = add_run(home / "mlflow.db", artifacts=home / "artifacts")
    folder = beside.with_name(letter * 32)
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / "weights.txt").write_text("whose?")
    return age(folder)


def test_no_database_loses_its_artifacts_to_anothers_repair(home: Path) -> None:
    """As made before each had a folder of its own."""
    shared = home / "artifacts"
    kept = [add_run(home / name, artifacts=shared) for name in ("mlflow.db", "other.db")]
    for uri in ("sqlite:///mlruns/mlflow.db", "sqlite:///mlruns/other.db"):
        assert main(["--fix", "--tracking-uri", uri]) == 0
    assert all((folder / "artifacts" / "weights.txt").is_file() for folder in kept)


def test_what_is_taken_away_can_be_brought_back(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = leave(home)
    assert main(["--fix"]) == 0
    told = capsys.readouterr().out
    assert not left.exists()
    trash = next((home / "trash").iterdir())
    assert f"moved to mlruns/trash/{trash.name}: delete it, or bring it back: cp -r" in told
    assert os.system(told.partition("back: ")[2].splitlines()[0]) == 0
    assert (left / "artifacts" / "weights.txt").read_text() == "whose?"


def test_what_is_young_is_left(home: Path) -> None:
    left = leave(home)
    (left / "artifacts" / "weights.txt").write_text("just now")
    assert main(["--fix"]) == 0
    age(left, HOUR - 60)
    assert main(["--fix"]) == 0
    assert left.exists() and not (home / "trash").exists()
    age(left, 120)
    assert main([]) == 1


def test_nothing_is_taken_while_something_is_at_work(home: Path) -> None:
    left = leave(home)
    with locks.lock_cells(home):
        assert main(["--fix"]) == 0
    assert left.exists()
    assert main([]) == 1


def test_nothing_outside_this_home_is_taken(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = leave(home)
    another = tmp_path / "another"
    another.mkdir()
    monkeypatch.chdir(another)
    assert main(["--fix", "--tracking-uri", f"sqlite:///{home / 'mlflow.db'}"]) == 0
    assert left.exists()


def test_nothing_is_taken_if_a_database_cannot_be_read(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = leave(home)
    (home / "other.db").write_bytes(b"damaged")
    assert main(["--fix"]) == 1
    assert "other.db" in "".join(capsys.readouterr().out.split())
    assert left.exists()


def test_a_run_that_comes_back_in_between_keeps_its_artifacts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are listed again right before anything moves."""
    left = leave(home)
    real = audit._age

    def restore(folder: Path) -> float:
        shutil.copy(home / "mlflow.db", home / "restored.db")
        with sqlite3.connect(home / "restored.db") as database:
            database.execute("UPDATE runs SET run_uuid = ?", (left.name,))
        return real(folder)

    monkeypatch.setattr(audit, "_age", restore)
    assert main(["--fix"]) == 0
    assert left.exists()

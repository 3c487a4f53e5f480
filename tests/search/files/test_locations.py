"""A store whose folder is moved or copied: refused, corrected, and the original left as it was."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking._tracking_service.utils import _artifact_repos_cache

from analysis import publish, report
from search import champions, doctor, rerun, sweep, tune
from search.errors import UserError
from search.files import locations
from search.tracking import registry
from search.tracking.store import Store
from tests.stores import prepare

NAME = "mnist_supervised-mini"


def store_of(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")


def add_run(store: Store, experiment: str = NAME, text: str = "weights") -> str:
    run_id = store.start_run(store.experiment(experiment), name="r", tags={"kind": "final"})
    store.log_text(run_id, text, "model/weights.txt")
    store.end_run(run_id, "FINISHED")
    return run_id


def files(folder: Path) -> dict[Path, bytes]:
    return {f.relative_to(folder): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A store with a champion."""
    folder = prepare(tmp_path / "a folder")
    store = store_of(folder)
    run_id = add_run(store)
    words = {"artifact": "model", "tags": {}, "description": ""}
    registry.register(store, NAME, run_id=run_id, **words)  # type: ignore[arg-type]
    return folder


def move(original: Path) -> Path:
    return original.rename(original.with_name("moved"))


def copy(original: Path) -> Path:
    return shutil.copytree(original, original.with_name("copy"))


def copy_below_link(original: Path) -> Path:
    real = copy(original)
    link = original.with_name("link")
    link.symlink_to(real)
    return link


def load_champion(arguments: list[str]) -> int:
    champions.load(*arguments)
    return 0


@pytest.mark.parametrize("how", [move, copy, copy_below_link])
def test_it_is_told_and_corrected(
    how: Callable[[Path], Path],
    original: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = files(original)
    there = how(original)
    given = ["--tracking-uri", "sqlite:///mlruns/mlflow.db"]
    with pytest.raises(UserError, match="was moved or copied") as caught:
        store_of(there)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2 and str(original) in lines[0] and "doctor.py --fix --track" in lines[1]
    monkeypatch.chdir(there)
    assert doctor.main(given) == 1
    assert f"python search/doctor.py {' '.join(given)} --fix\n" in capsys.readouterr().out
    assert files(there) == before | {Path("mlruns/finals/driver.lock"): b""}
    assert doctor.main(["--fix"]) == 0
    capsys.readouterr()
    assert doctor.main([]) == 0
    assert capsys.readouterr().out == "all is well\n"
    with sqlite3.connect("mlruns/mlflow.db") as database:
        assert original.as_uri() + "/" not in "\n".join(database.iterdump())
    _artifact_repos_cache.clear()  # as in another process
    store = store_of(there)
    run_id = registry.champion_run(store, NAME)
    assert run_id and store.read_text(run_id, "model/weights.txt") == "weights"
    store.log_text(run_id, "more", "more.txt")
    new = add_run(store)
    kept = {run for run in (run_id, new) if list(there.rglob(f"{run}/artifacts/*"))}
    assert kept == {run_id, new}
    assert files(original) == (before if how is not move else {})


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (tune.main, "--pipeline mnist_supervised --data mini --trials 1"),
        (rerun.main, "--pipeline mnist_supervised --data mini"),
        (sweep.main, "--sweep pca --quick --data mini"),
        (report.main, "--data mini"),
        (publish.main, "--data mini --out out"),
        (load_champion, NAME),
    ],
    ids=lambda one: getattr(one, "__module__", None),
)
def test_each_command_refuses_before_it_works(
    command: Callable[[list[str]], int],
    arguments: str,
    original: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    there = copy(original)
    monkeypatch.chdir(there)
    before = files(original)
    try:
        assert command(arguments.split()) == 1
        told = capsys.readouterr().err
    except UserError as error:
        told = str(error)
    assert len(told.splitlines()) == 2
    assert f"it still names {original / 'mlruns'} for its artifacts\n" in told
    assert "python search/doctor.py --fix" in told
    assert files(original) == before
    assert {f.name for f in files(there).keys() - before.keys()} <= {"driver.lock"}


def test_what_lies_in_the_former_folder_alone_is_copied(original: Path) -> None:
    run_id = add_run(store_of(original), text="late")
    there = copy(original)
    shutil.rmtree(there / "mlruns" / "artifacts" / NAME / run_id)
    before = files(original)
    locations.correct(there / "mlruns" / "mlflow.db")
    assert store_of(there).read_text(run_id, "model/weights.txt") == "late"
    assert files(original) == before


def test_artifacts_are_left_where_somebody_wants_them(original: Path, tmp_path: Path) -> None:
    """On a larger disk; through a link; beside a database that went away alone."""
    store = store_of(original)
    chosen = tmp_path / "disk" / "artifacts" / "big"
    chosen.mkdir(parents=True)
    store.client.create_experiment("big", artifact_location=chosen.as_uri())
    assert store_of(original).file
    link = tmp_path / "link"
    link.symlink_to(original)
    assert store_of(link).file
    (tmp_path / "elsewhere").mkdir()
    alone = (original / "mlruns" / "mlflow.db").rename(tmp_path / "elsewhere" / "mlflow.db")
    run_id = add_run(Store(f"sqlite:///{alone}"))
    assert list(original.rglob(f"{run_id}/artifacts/model/weights.txt"))


def test_each_database_has_artifacts_of_its_own(original: Path) -> None:
    other = Store(f"sqlite:///{shutil.copy(original / 'mlruns/mlflow.db', original / 'x.db')}")
    run_id = add_run(other, "new")
    assert (original / "x.db.artifacts" / "new" / run_id / "artifacts" / "model").is_dir()


def test_every_database_of_a_folder_is_asked_for_its_runs(original: Path) -> None:
    home = original / "mlruns"
    first = locations.known_runs(home)
    assert len(first) == 1
    shutil.copy(home / "mlflow.db", home / "kept.backup")
    second = add_run(store_of(original))
    assert locations.known_runs(home) == {*first, second}
    (home / "mlflow.db").unlink()
    assert locations.known_runs(home) == first
    (home / "damaged.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20)
    with pytest.raises(UserError, match=r"damaged\.db cannot be read"):
        locations.known_runs(home)

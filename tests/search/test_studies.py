"""`studies`: one search seen and stopped from another terminal, a study gone from all stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.study.storage import open_storage, study_names
from search.tracking.store import Store
from tests import commands

pytestmark = pytest.mark.slow
SEARCH = ("--pipeline", "mnist_supervised", "--data", "mini", "--train-size", "256", "--set")
SEARCH += ("width=16", "--set", "batch_size=128", "--scheduler", "none", "--set", "depth=3")


def look(folder: Path, *words: str) -> commands.Ended:
    return commands.run("search/studies.py", *words, folder=folder)


def test_a_search_is_listed_stopped_and_deleted_from_another_terminal(tmp_path: Path) -> None:
    assert "there is no study in" in look(tmp_path, "list").out
    short = ("--trials", "1", "--epochs", "1", "--study", "short")
    first = commands.run("search/tune.py", *SEARCH, *short, folder=tmp_path)
    assert first.status == 0, first.err
    rerun = ("--pipeline", "mnist_supervised", "--data", "mini", "--seeds", "1")
    final = commands.run("search/rerun.py", *rerun, "--without", "defaults", folder=tmp_path)
    assert final.status == 0, final.err

    long = ("--trials", "50", "--epochs", "200", "--study", "long")
    process = commands.start("search/tune.py", *SEARCH, *long, folder=tmp_path, own_group=True)
    folder = tmp_path / "mlruns" / "studies" / "long" / "trials"
    commands.wait_for(process, lambda: any(folder.glob("*")))
    listed = " ".join(look(tmp_path, "list").out.split())
    assert "short mnist_supervised mini 1 complete" in listed
    assert "long mnist_supervised mini running, none" in listed
    assert f"running (pid {process.pid})" in look(tmp_path, "show", "long").out
    busy = look(tmp_path, "delete", "long", "--yes")
    assert busy.status != 0 and "is searching study 'long'" in busy.err
    stopped = look(tmp_path, "stop", "long")
    assert (stopped.status, stopped.err) == (0, "")
    assert process.wait() == 130, "as after Ctrl-C"
    assert "running" not in look(tmp_path, "list").out

    shown = look(tmp_path, "show", "short").out
    assert "pipeline: mnist_supervised" in shown and "goals: valid/accuracy" in shown
    assert "trials: 1 complete" in shown and "batch_size" in shown
    asked = look(tmp_path, "delete", "short")
    assert asked.status == 2 and "nothing was deleted\ngive --yes" in asked.err
    assert "depends on it: final numbers, run" in asked.out
    for name in ("long", "short"):
        deleted = look(tmp_path, "delete", name, "--yes")
        assert deleted.status == 0 and f"deleted {name}" in deleted.out, deleted.err
    home = tmp_path / "mlruns"
    storage = open_storage(home)
    assert study_names(storage) == []
    storage.engine.dispose()
    store = Store(f"sqlite:///{home / 'mlflow.db'}")
    experiment = store.find_experiment("mnist_supervised-mini")
    assert experiment and store.runs(experiment, study="short") == []
    assert store.runs(experiment, kind="rerun"), "final numbers stay"
    assert list((home / "studies").iterdir()) == []
    doctor = commands.run("search/doctor.py", folder=tmp_path)
    assert (doctor.status, doctor.out.strip()) == (0, "all is well")

    for words, status, said in (
        (("show", "long"), 2, "there is no study 'long'"),
        (("show",), 2, "show takes a NAME"),
        (("list", "long"), 2, "list takes no NAME"),
        (("mend", "long"), 2, "invalid choice: 'mend'"),
    ):
        refused = look(tmp_path, *words)
        assert (refused.status, said in refused.err) == (status, True), refused.err
        assert len(refused.err.splitlines()) <= 3

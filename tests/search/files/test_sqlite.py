"""Databases that several drivers want to make at the same moment."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import event

from benchmarks.commands import rows
from search.files.sqlite import create_once
from search.study import study as studies
from search.study.storage import open_storage, study_names
from tests import commands


def test_a_database_is_made_once_and_seen_only_whole(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "some.db"
    calls: list[Path] = []

    def make(path: Path) -> None:
        calls.append(path)
        path.write_text("half")
        time.sleep(0.2)
        path.write_text("whole")

    def read(_: int) -> str:
        create_once(file, make)
        return file.read_text()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(4))) == ["whole"] * 4
    assert len(calls) == 1
    assert sorted(path.name for path in file.parent.iterdir()) == [".some.lock", "some.db"]


def test_what_a_killed_process_left_is_removed_and_what_is_there_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    stale = [tmp_path / f".some.db.999.new{suffix}" for suffix in ("", "-journal")]
    for path in stale:
        path.write_text("half made")
    for text in ("made", "made again"):
        create_once(file, lambda path, text=text: path.write_text(text))
    assert file.read_text() == "made"
    assert not any(path.exists() for path in stale)


@pytest.mark.slow
def test_a_driver_may_open_the_studies_while_another_makes_their_tables(tmp_path: Path) -> None:
    """Optuna looks which tables there are and then makes the others: here both look first."""
    second = threading.Thread(target=open_storage, args=(tmp_path,))

    def meanwhile(*unused: object, **also: object) -> None:
        if second.ident is None:
            second.start()
            second.join(timeout=2)  # it gets as far as it can

    event.listen(sqlalchemy.MetaData, "before_create", meanwhile)
    try:
        storage = open_storage(tmp_path)
    finally:
        event.remove(sqlalchemy.MetaData, "before_create", meanwhile)
    second.join()
    studies.create(storage, "s", identity={}, defaults={})
    assert study_names(open_storage(tmp_path)) == ["s"]


@pytest.mark.slow
def test_drivers_that_start_together_in_a_fresh_folder_lose_nothing(tmp_path: Path) -> None:
    words = "search/tune.py --pipeline mnist_supervised --data mini --train-size 512 --epochs 1"
    words += " --trials 2 --set width=16 --concurrency 1 --quiet"
    drivers = [commands.start(*words.split(), folder=tmp_path) for _ in range(4)]
    for driver in drivers:
        assert driver.wait() == 0, driver.communicate()
    names = study_names(open_storage(tmp_path / "mlruns"))
    assert len(set(names)) == 4
    states = rows(tmp_path, "select state from trials", "optuna")
    assert states == [("COMPLETE",)] * 8
    query = "select value, status from runs join tags using (run_uuid) where key = 'kind'"
    runs = Counter(rows(tmp_path, query))
    assert runs == {("study", "FINISHED"): 4, ("trial", "FINISHED"): 8}

"""What is read of a store: of one version of the protocol, the others told apart."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from analysis import report
from analysis.load import Images, find
from search.errors import Failure
from search.tracking.store import Store
from tests.stores import prepare
from trainers.protocol import VERSION

NAME = "mnist_supervised"


def stand_in(home: Path) -> Images:
    return Images.of(report.parser().parse_args(["--data", "mini"]), home)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Studies of three versions; that of version 1 says nothing of it, as they did then."""
    store = Store(f"sqlite:///{prepare(tmp_path) / 'mlruns' / 'mlflow.db'}")
    experiment = store.experiment(f"{NAME}-mini")
    for version in (None, VERSION, VERSION + 1):
        tags = {"protocol": str(version)} if version else {}
        run = store.start_run(experiment, name="s", tags={"kind": "study", "study": "s", **tags})
        store.log(run, params={"epochs": 1})
        store.end_run(run, "FINISHED")
    older = store.start_run(experiment, name="r", tags={"kind": "rerun"})
    store.log(older, params={"classifier": "hidden 1024, labels smoothed 0"})
    store.end_run(older, "FINISHED")
    return store


@pytest.mark.parametrize("asked", [None, 1])
def test_the_newest_protocol_is_shown_unless_another_is_asked_for(
    asked: int | None, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def record(*given: object) -> None:
        seen.append(int(str(given[-1])))

    monkeypatch.setattr("analysis.load._record", record)
    monkeypatch.setattr("analysis.load._sweep", lambda *given: SimpleNamespace(name="vae"))
    monkeypatch.setattr("analysis.load.Findings", lambda **values: values)
    found = find(store, [NAME], images=stand_in(tmp_path), sweeps=["vae"], protocol=asked)
    newest = VERSION + 1
    assert seen == [asked or newest]
    others = {0, 1, VERSION, newest} - {asked or newest}
    assert found["other_protocols"] == {version: [NAME] for version in sorted(others)}  # type: ignore[index]


def test_a_protocol_that_measured_nothing_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"no pipeline has a study in .*\n.*python search/tune.py"):
        find(store, [NAME], images=stand_in(tmp_path), protocol=VERSION + 5)

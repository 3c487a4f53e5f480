"""A real `mlflow server` that several homes share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.doctor import main
from search.tracking.provenance import home_tag
from search.tracking.store import Store
from tests.mlflow_server import Server
from tests.stores import prepare

pytestmark = pytest.mark.slow


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Of a server on a database and a folder of artifacts of its own."""
    server = Server(prepare(tmp_path / "server") / "mlruns")
    server.start()
    yield server.uri
    server.take_away()


def test_a_repair_ends_no_rerun_of_another_home(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(address)
    experiment = store.experiment("mnist_supervised-mini")
    ours, theirs = (
        store.start_run(experiment, name="r", tags={"kind": "rerun", **home_tag(home)})
        for home in (tmp_path / "mlruns", tmp_path / "other" / "mlruns")
    )
    assert main(["--tracking-uri", address, "--fix"]) == 0
    status = {run.run_id: run.status for run in store.runs(experiment)}
    assert status == {ours: "KILLED", theirs: "RUNNING"}

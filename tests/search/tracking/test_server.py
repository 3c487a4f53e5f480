"""A search whose records go to a real `mlflow server`, artifacts included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from search.doctor import main
from search.tracking.provenance import home_tag
from search.tracking.store import Store
from tests.mlflow_server import Server

pytestmark = pytest.mark.slow

SEARCH = [
    *("--pipeline", "mnist_supervised", "--data", "mini", "--train-size", "256"),
    *("--trials", "2", "--epochs", "2", "--concurrency", "2", "--study", "served"),
    *("--scheduler", "none", "--set", "width=16", "--set", "depth=3", "--set", "batch_size=128"),
]


@pytest.fixture
def address(tmp_path: Path, empty_store: Path) -> Iterator[str]:
    """Of a server on a database and a folder of artifacts of its own."""
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    server = Server(folder)
    server.start()
    yield server.uri
    server.take_away()


def test_a_search_is_recorded_by_a_server(
    address: str, tmp_path: Path, tune: Callable[..., Any]
) -> None:
    done = tune(tmp_path, *SEARCH, "--tracking-uri", address)
    assert (done.status, done.err) == (0, "")
    assert f"compare the trials:  {address}/#/experiments/" in done.out
    assert not (tmp_path / "mlruns" / "mlflow.db").exists(), "no store beside the server's"
    client = MlflowClient(tracking_uri=address)
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(ids, "tags.kind = 'trial'")
    assert sorted(run.data.tags["trial_number"] for run in runs) == ["0", "1"]
    for run in runs:
        assert (run.info.status, run.data.tags["trial_state"]) == ("FINISHED", "COMPLETE")
        history = client.get_metric_history(run.info.run_id, "train/loss")
        assert [metric.step for metric in history] == [1, 2]
        kept = {entry.path for entry in client.list_artifacts(run.info.run_id)}
        assert kept == {"weights.safetensors", "config.json"}
        stored = tmp_path / "server" / "artifacts"
        assert list(stored.rglob(f"{run.info.run_id}/artifacts/weights.safetensors"))
    [parent] = client.search_runs(ids, "tags.kind = 'study'")
    assert parent.info.status == "FINISHED"


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

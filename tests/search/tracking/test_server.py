"""A search whose records go to a real `mlflow server`, artifacts included."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

pytestmark = pytest.mark.slow

SEARCH = [
    *("--pipeline", "mnist_supervised", "--data", "mini", "--train-size", "256"),
    *("--trials", "2", "--epochs", "2", "--concurrency", "2", "--study", "served"),
    *("--scheduler", "none", "--set", "width=16", "--set", "depth=3", "--set", "batch_size=128"),
]


@pytest.fixture
def address(tmp_path: Path, empty_store: Path) -> Iterator[str]:
    """Of a server on a database and a folder of artifacts of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
                *("--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"),
                *("--artifacts-destination", str(folder / "artifacts")),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    found = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 900
        while not _answers(found):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield found
    finally:
        process.terminate()
        process.wait(timeout=60)


def _answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(f"{address}/health", timeout=5).status == 200
    except OSError:
        return False


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

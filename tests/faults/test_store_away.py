"""An MLflow server is taken away in the middle of a search, and given back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from trainers.data import TrainingData


class Server:
    """`mlflow server` on a port of its own, over the store of a search."""

    def __init__(self, home: Path) -> None:
        self._home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
                *("--host", "127.0.0.1", "--port", str(self.port)),
                *("--backend-store-uri", f"sqlite:///{self._home / 'mlflow.db'}"),
                *("--artifacts-destination", str(self._home / "artifacts")),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(OSError):
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                return
            time.sleep(0.2)
        raise AssertionError("the server does not answer")

    def take_away(self) -> None:
        """Kill it with all its workers, in the middle of whatever they do."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def search_and_server(make_search: Callable[..., Any]) -> Iterator[tuple[Any, Server]]:
    search = make_search(trials=6, epochs=15)
    server = Server(search.folder / "mlruns")
    search.own_ray = False
    search.arguments = ("--tracking-uri", server.uri, "--scheduler", "none")
    server.start()
    yield search, server
    server.take_away()


def ended(search: Any) -> int:
    return sum(trial.state is TrialState.COMPLETE for trial in search.stored())


def _outage(search: Any, server: Server, wait_until: Callable[..., None], *, seconds: float) -> str:
    process = search.start()
    wait_until(lambda: ended(search) >= 1, 120)
    server.take_away()
    before = ended(search)
    time.sleep(seconds)
    assert ended(search) > before, "the search goes on without its store"
    server.start()
    out, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (0, "")
    return str(out)


@pytest.mark.slow
def test_a_short_outage(
    search_and_server: tuple[Any, Server], wait_until: Callable[..., None], data: TrainingData
) -> None:
    search, server = search_and_server
    out = _outage(search, server, wait_until, seconds=10)
    assert "MLflow does not answer" in out and "MLflow answers again" in out
    search.whole(data, server.uri)


@pytest.mark.slow
def test_a_store_that_does_not_come_back_is_told_later(
    search_and_server: tuple[Any, Server], wait_until: Callable[..., None], data: TrainingData
) -> None:
    """The search ends without it and says so; the next command delivers."""
    search, server = search_and_server
    search.environment["LATENT_SEARCH_PATIENCE"] = "2"
    process = search.start()
    wait_until(lambda: ended(search) >= 1, 120)
    server.take_away()
    out, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (1, "")
    assert "could not be written" in out and "doctor.py --fix" in out
    assert ended(search) == 6, "the search itself is done"
    server.start()
    search.finish()
    search.whole(data, server.uri)


@pytest.mark.slow
@pytest.mark.faults
def test_half_a_minute(
    search_and_server: tuple[Any, Server], wait_until: Callable[..., None], data: TrainingData
) -> None:
    search, server = search_and_server
    search.trials = 12
    _outage(search, server, wait_until, seconds=30)
    search.whole(data, server.uri)

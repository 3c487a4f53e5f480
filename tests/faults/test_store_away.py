"""An MLflow server is taken away in the middle of a search, and given back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from optuna.trial import TrialState

from tests import commands
from tests.faults.searches import Search
from tests.mlflow_server import Server
from tests.stores import prepare
from trainers.data import TrainingData


@pytest.fixture
def search_and_server(make_search: Callable[..., Search]) -> Iterator[tuple[Search, Server]]:
    search = make_search(trials=6, epochs=15, store=False)
    server = Server(prepare(search.folder / "server") / "mlruns")
    search.own_ray = False
    uri = server.uri.replace("//", "//me:Pa55word@")
    search.arguments = ("--tracking-uri", uri, "--scheduler", "none")
    server.start()
    yield search, server
    server.take_away()
    assert not (search.folder / "mlruns" / "mlflow.db").exists(), "no store beside the server's"
    for file in search.folder.rglob("*"):
        assert not file.is_file() or b"Pa55word" not in file.read_bytes(), (
            f"{file} has the password"
        )


def ended(search: Search) -> int:
    return sum(trial.state is TrialState.COMPLETE for trial in search.stored())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trials", "seconds"), [(6, 10), pytest.param(12, 30, marks=pytest.mark.faults)]
)
def test_an_outage(
    search_and_server: tuple[Search, Server], data: TrainingData, trials: int, seconds: int
) -> None:
    search, server = search_and_server
    search.trials = trials
    process = search.start()
    commands.wait_for(process, lambda: ended(search) >= 1)
    server.take_away()
    before = ended(search)
    time.sleep(seconds)
    assert ended(search) > before, "the search goes on without its store"
    server.start()
    out, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (0, "")
    assert "Pa55word" not in out
    assert f"compare the trials:  http://***@127.0.0.1:{server.port}/#/experiments/" in out
    assert "/runs?viewStateShareKey=best-trials\n" in out
    assert "MLflow does not answer" in out and "MLflow answers again" in out
    search.whole(data, server.uri)


@pytest.mark.slow
def test_a_store_that_does_not_come_back_is_told_later(
    search_and_server: tuple[Search, Server], data: TrainingData
) -> None:
    """The search ends without it and says so; the next command delivers."""
    search, server = search_and_server
    search.environment["LATENT_SEARCH_PATIENCE"] = "2"
    process = search.start()
    commands.wait_for(process, lambda: ended(search) >= 1)
    server.take_away()
    out, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (1, "")
    assert "could not be written" in out and "doctor.py --fix" in out
    assert ended(search) == 6, "the search itself is done"
    server.start()
    search.finish()
    search.whole(data, server.uri)

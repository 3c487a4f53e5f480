"""Where MLflow's store is: which is meant, what is shown of it, whether anything answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from search import errors
from search.files import sqlite
from search.tracking import address


def test_which_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert address.resolve_uri(None, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://env:1")
    assert address.resolve_uri(None, tmp_path) == "http://env:1"
    assert address.resolve_uri("http://given:1", tmp_path) == "http://given:1"


def test_every_path_has_an_address_and_back(tmp_path: Path) -> None:
    for name in ("plain", "q?x=1", "per%20cent", "100%", "a b", "#1", "ü", "?%3F"):
        file = tmp_path / name / "mlflow.db"
        assert sqlite.sqlite_file(sqlite.sqlite_uri(file)) == file
        assert address.resolve_uri(None, file.parent) == sqlite.sqlite_uri(file)


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:secret@host:5000/path",
        "postgresql+psycopg2://me:secret@host/db",
        "http://me:sec%40ret-secret@host",
        "http://me:se@secret@host",
        "http://me:se/secret@host",
        "http:me:secret@host:5000",
        "me:secret@host",
        "postgresql://host/db?user=me&password=secret",
        "http://host/?x=1&access_token=secret",
        "MLflow: request to http://me:secret@host/api failed: (500, 'http://host?token=secret')",
    ],
)
def test_secrets_are_not_shown(uri: str) -> None:
    shown = errors.without_secrets(uri)
    assert "secret" not in shown
    assert "host" in shown


def test_an_address_without_secrets_is_shown_whole() -> None:
    link = "http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=best-trials"
    for uri in ("http://host:5000", link, "http://host?x=1&y=2", "sqlite:////a/b@c/mlflow.db"):
        assert errors.without_secrets(uri) == uri

"""Where MLflow's store is: which is meant, what is shown of it, whether anything answers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from search import tracking_address
from search.errors import UserError


def test_which_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_address.resolve_uri(None, tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://env:1")
    assert tracking_address.resolve_uri(None, tmp_path) == "http://env:1"
    assert tracking_address.resolve_uri("http://given:1", tmp_path) == "http://given:1"


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:secret@host:5000/path",
        "postgresql+psycopg2://me:secret@host/db",
        "http://me:sec%40ret-secret@host",
        "http://me:se@secret@host",
    ],
)
def test_secrets_are_not_shown(uri: str) -> None:
    shown = tracking_address.without_secrets(uri)
    assert "secret" not in shown
    assert "host" in shown


def test_an_address_without_secrets_is_shown_whole() -> None:
    for uri in ("http://host:5000", "sqlite:////a/b@c/mlflow.db"):
        assert tracking_address.without_secrets(uri) == uri


def test_a_dead_port_is_known_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(UserError, match="no MLflow store answers") as caught:
        tracking_address.probe("http://127.0.0.1:1")
    assert time.monotonic() - began < 5
    assert caught.value.status == 1


def test_a_file_needs_no_probe(tmp_path: Path) -> None:
    tracking_address.probe(f"sqlite:///{tmp_path}/mlflow.db")
    assert list(tmp_path.iterdir()) == []

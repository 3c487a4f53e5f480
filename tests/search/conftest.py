"""Places that are a test's own: environment, working folder, store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.tracking.store import Store
from tests.stores import prepare


@pytest.fixture(autouse=True)
def _environment_of_its_own() -> Iterator[None]:
    """No data folder from outside, and what a command sets does not leak into the next test."""
    before = dict(os.environ)
    os.environ.pop("DATA_DIR", None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder; a command would otherwise write into the repository, or read its data."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """MLflow's, without runs, below `tmp_path`."""
    return Store(f"sqlite:///{prepare(tmp_path) / 'mlruns' / 'mlflow.db'}")

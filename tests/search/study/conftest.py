"""The studies' database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.storages import RDBStorage

from search.study.storage import open_storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[RDBStorage]:
    """In a real SQLite file, without studies."""
    opened = open_storage(tmp_path)
    yield opened
    opened.remove_session()
    opened.engine.dispose()

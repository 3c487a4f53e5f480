"""The search as a command in a process of its own, as users start it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def tune(words: Sequence[str], folder: Path | str) -> None:
    """Run `search/tune.py` in `folder`; show its output only if it fails."""
    command = [sys.executable, str(ROOT / "search" / "tune.py"), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with status {done.returncode}: {done.stderr}")


def settings(values: Sequence[str]) -> list[str]:
    """`--set` before each of them."""
    return [word for value in values for word in ("--set", value)]


def rows(folder: Path | str, query: str, store: str = "mlflow") -> list[tuple[Any, ...]]:
    """What a query finds in a store of the searches in `folder`."""
    with closing(sqlite3.connect(Path(folder) / "mlruns" / f"{store}.db")) as database:
        return database.execute(query).fetchall()

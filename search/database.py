"""SQLite files that several processes may want to make at the same moment."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from search import faults


def create_once(path: Path, make: Callable[[Path], None]) -> None:
    """Have `make` write the database when there is none: whole under another name, then renamed.

    MLflow and Optuna both look which tables there are and then make the rest, which breaks when
    several processes do it together, and leave a half-made file behind when they are killed.

    Args:
        path: where it is to be; what lies there already is left as it is.
        make: writes a database where it is told to, and has closed it when it returns.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.stem}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists():  # made by another driver while this one waited
            return
        for stale in path.parent.glob(f".{path.name}.*.new*"):
            stale.unlink()  # of a process that was killed: nobody else holds the lock
        new = path.parent / f".{path.name}.{os.getpid()}.new"
        make(new)
        faults.reach("creating")
        new.rename(path)

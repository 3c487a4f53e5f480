"""Locks that end with the process that holds them, however it ends, and unique names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import chain, count
from pathlib import Path

from filelock import FileLock, Timeout

from search.errors import UserError


def claim(folder: Path, name: str) -> str:
    """`name`, or `name` with a number behind it, as a study's name that no other driver takes.

    The function creates the study's folder below `folder`, so that drivers that start within one
    second get different names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for candidate in chain([name], (f"{name}-{number}" for number in count(2))):
        with suppress(FileExistsError):
            (folder / candidate).mkdir()
            return candidate
    raise AssertionError("there is always a next number")


@contextmanager
def lock(folder: Path, busy: str) -> Iterator[None]:
    """Hold the folder for this process while entered.

    Args:
        busy: the error's text; `{pid}` in it stands for the process that holds the folder.

    Raises:
        UserError: another living process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / "driver.pid"  # not the lock's file: taking a lock may empty it
    try:
        held = FileLock(folder / "driver.lock").acquire(blocking=False)
    except Timeout:
        with suppress(OSError):
            busy = busy.replace("{pid}", holder.read_text(encoding="utf-8"))
        raise UserError(busy.replace("{pid}", "unknown")) from None
    with held:
        holder.write_text(str(os.getpid()), encoding="utf-8")
        try:
            yield
        finally:
            holder.unlink(missing_ok=True)


def lock_study(home: Path, name: str) -> AbstractContextManager[None]:
    """Let no other process search this study."""
    return lock(
        home / "studies" / name,
        f"another process (pid {{pid}}) is searching study {name!r}\n"
        "wait for it, stop it, or start a study of another name",
    )


def lock_cells(home: Path) -> AbstractContextManager[None]:
    """Let no other process train cells below this home."""
    return lock(
        home / "finals",
        f"another rerun or sweep is running in {home} (pid {{pid}})\nwait for it, or stop it",
    )

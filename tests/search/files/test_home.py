"""A full disk is known by whatever it makes others raise."""

from __future__ import annotations

import errno
import sqlite3

from search.files.home import is_full


def raised_by(error: Exception, after: Exception) -> Exception:
    """`error`, as it is raised while `after` is handled."""
    try:
        try:
            raise after
        except Exception:
            raise error  # noqa: B904
    except Exception as caught:
        return caught


FULL = OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_known_and_nothing_else_is_taken_for_one() -> None:
    for error in (
        FULL,
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        sqlite3.OperationalError("database or disk is full"),
        raised_by(RuntimeError("the search broke"), FULL),
        raised_by(RuntimeError("b"), raised_by(ValueError("a"), FULL)),
    ):
        assert is_full(error), error
    for error in (PermissionError(errno.EACCES, "denied"), ValueError("full of mistakes")):
        assert not is_full(error), error

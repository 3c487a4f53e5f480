"""The folder of all stores."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

from search.errors import Failure

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "docs" / "results"

HOME = Path("mlruns")
OWN = "pipelines"  # folder in it: the texts of a user's own pipelines that were searched
FREE_MIB = 200  # a search would break in the middle with less than this on the disk


def is_full(error: BaseException | None) -> bool:
    """Whether `error` or a cause of it reports a full disk, as the system or as SQLite does."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "disk is full" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def check_readable(path: Path) -> None:
    """Make sure that this user may read `path`, if it exists.

    Libraries do not tell a file that may not be read from one that is missing.

    Raises:
        UserError: this user may not read it.
    """
    try:
        path.open("rb").close()
    except PermissionError:
        raise Failure(
            f"this user may not read {path}\nits owner can allow it: chmod -R a+rX {HOME}"
        ) from None
    except OSError:
        pass


def check_disk(home: Path) -> None:
    """Make sure that `home` is writable and that its disk has room.

    Raises:
        UserError: it is read-only or not a folder, or the disk is full.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(bytes(2**20))
            file.flush()
        free = shutil.disk_usage(home).free / 2**20
    except OSError as error:
        raise Failure(
            f"cannot write to {home}: {error.strerror or error}\n"
            "make it writable, free some space, or run from a folder of your own"
        ) from None
    if free < FREE_MIB:
        raise Failure(
            f"the disk of {home} has {free:.0f} MiB left, at least {FREE_MIB} are needed\n"
            "free some space, or run from a folder on another disk"
        )

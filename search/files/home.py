"""The folder of all stores."""

from __future__ import annotations

import errno
import shutil
import tempfile
from pathlib import Path

from search.errors import FAILED, UserError

HOME = Path("mlruns")
FREE_MIB = 200  # with less than this on the disk a search would break in the middle


def is_full(error: BaseException | None) -> bool:
    """Whether `error`, or what led to it, is a full disk: the system's word or SQLite's."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "disk is full" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def check_disk(home: Path) -> None:
    """Make sure that `home` can be written and has room.

    Raises:
        UserError: it is read-only, no folder, or the disk is full.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home) as file:
            file.write(bytes(2**20))
            file.flush()
        free = shutil.disk_usage(home).free / 2**20
    except OSError as error:
        raise UserError(
            f"cannot write to {home}: {error.strerror or error}\n"
            "make it writable, free some space, or run from a folder of your own",
            status=FAILED,
        ) from None
    if free < FREE_MIB:
        raise UserError(
            f"the disk of {home} has {free:.0f} MiB left, at least {FREE_MIB} are needed\n"
            "free some space, or run from a folder on another disk",
            status=FAILED,
        )

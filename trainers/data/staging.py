"""A folder beside the target: files are made there, and renames put them in their place."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

FRESH_SECONDS = 60.0  # a younger one may not be locked yet
LOCK = "lock"


@contextmanager
def staging(folder: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `folder`, removed at the end; so is each that a killed process left there."""
    for left in folder.glob(f"{prefix}*"):
        with suppress(OSError):  # it is gone by now, or a living process has its lock
            if time.time() - left.stat().st_mtime > FRESH_SECONDS:
                with FileLock(left / LOCK, timeout=0):
                    shutil.rmtree(left)
    made = tempfile.TemporaryDirectory(prefix=prefix, dir=folder, ignore_cleanup_errors=True)
    with made as name, FileLock(Path(name) / LOCK):
        files = Path(name) / "files"
        files.mkdir()
        yield files

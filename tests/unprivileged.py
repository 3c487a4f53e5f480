"""What a user may do whom modes of files stop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def unprivileged(place: Path) -> Iterator[None]:
    """Act as nobody where the tests run as root, whom no mode stops; nobody gets to the place."""
    if os.geteuid() != 0:
        yield
        return
    for folder in (place, *place.parents):
        if not folder.stat().st_mode & 0o005:  # pytest's own, closed to others
            folder.chmod(folder.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)

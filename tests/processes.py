"""The processes below one, and what they call themselves."""

from __future__ import annotations

from contextlib import suppress

import psutil


def descendants(pid: int) -> list[int]:
    """All processes below this one."""
    with suppress(psutil.NoSuchProcess):
        return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    return []


def title(pid: int) -> str:
    """What the process calls itself."""
    with suppress(psutil.Error):  # ended meanwhile
        return " ".join(psutil.Process(pid).cmdline())
    return ""

"""The end of a command's process."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import NoReturn


def exit_fast(status: int) -> NoReturn:
    """End the process: run the functions registered with atexit, then exit without cleaning up.

    The interpreter would take two seconds to free torch, Ray and pyarrow one object at a time; the
    system takes the memory back at once.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # the stream's reader is gone, or its disk is full
            stream.flush()
    os._exit(status)

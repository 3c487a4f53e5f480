"""The process ends with its status, its output whole, its last calls made."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
from search.cli.exiting import exit_fast
class Slow:
    def __del__(self):
        print("taken apart")
kept = Slow()
atexit.register(print, "called at the end")
sys.stdout.write("half a line, ")
exit_fast({status})
"""


@pytest.mark.parametrize("status", [0, 1, 130])
def test_ends_with_its_status_and_its_output(status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(status=status)], capture_output=True, text=True
    )
    assert done.returncode == status
    assert done.stdout == "half a line, called at the end\n"
    assert done.stderr == ""

"""The process ends with its status, its output whole, its last calls made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_output_that_nobody_can_take_changes_no_status() -> None:
    program = (
        "import sys; from search.cli.exiting import exit_fast\n"
        "sys.stdout = open('/dev/full', 'w'); print('lost'); exit_fast(3)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (3, "")

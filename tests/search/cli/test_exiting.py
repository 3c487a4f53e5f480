"""The process ends with its status, its output whole, its last calls made."""

from __future__ import annotations

import pytest

from tests import commands

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
    done = commands.cold(PROGRAM.format(status=status))
    assert done == commands.Ended(status, "half a line, called at the end\n", "")

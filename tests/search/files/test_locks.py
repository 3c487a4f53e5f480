"""Locks that go with their process; names that several drivers do not share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from search.errors import UserError
from search.files import locks

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys
from pathlib import Path
from search.files.locks import lock_study
with lock_study(Path(sys.argv[1]), "s"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_drivers_that_start_in_one_second_get_names_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "studies"
    names = [locks.claim(folder, name) for name in ("a", "a", "b", "a")]
    assert names == ["a", "a-2", "b", "a-3"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_study_has_one_driver_and_the_lock_goes_with_it(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=f"pid {other.pid}"), locks.lock_study(tmp_path, "s"):
            pass
    finally:
        other.kill()
        other.communicate()
    for _ in range(2):
        with locks.lock_study(tmp_path, "s"):
            refused = pytest.raises(UserError, match="another process")
            with refused, locks.lock_study(tmp_path, "s"):
                pass


def test_a_rerun_and_a_sweep_exclude_each_other_and_no_study(tmp_path: Path) -> None:
    with locks.lock_cells(tmp_path), locks.lock_study(tmp_path, "s"):
        refused = pytest.raises(UserError, match="another rerun or sweep is running")
        with refused, locks.lock_cells(tmp_path):
            pass

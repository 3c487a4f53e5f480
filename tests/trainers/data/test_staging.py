"""The folder in which files are made, and what killed processes leave of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trainers.data.staging import FRESH_SECONDS, staging

PREFIX = ".making-"
MAKING = f"""
import sys
from pathlib import Path
from trainers.data.staging import staging
with staging(Path(sys.argv[1]), "{PREFIX}") as folder:
    (folder / "half").write_text("half")
    print(folder.parent, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def aged(folder: Path) -> Path:
    """The folder, made older than one that may not be locked yet."""
    then = folder.stat().st_mtime - 2 * FRESH_SECONDS
    os.utime(folder, (then, then))
    return folder


def test_what_is_left_by_a_killed_process_goes_and_a_living_ones_stays(place: Path) -> None:
    command = [sys.executable, "-c", MAKING, str(place)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    making = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    try:
        killed, living = (aged(Path(one.stdout.readline().strip())) for one in making)
        making[0].kill()
        making[0].wait()
        with staging(place, PREFIX) as folder:
            assert set(place.iterdir()) == {living, folder.parent}, f"{killed} is gone"
        making[1].communicate()
        assert list(place.iterdir()) == []
    finally:
        for one in making:
            one.kill()


def test_it_goes_after_an_error_and_a_fresh_one_without_a_lock_stays(place: Path) -> None:
    other = place / f"{PREFIX}other"
    other.mkdir()
    with pytest.raises(ZeroDivisionError), staging(place, PREFIX) as folder:
        (folder / "half").write_text("half")
        raise ZeroDivisionError
    assert list(place.iterdir()) == [other]
    with staging(place, PREFIX):
        assert aged(other).exists()
    with staging(place, PREFIX):
        assert not other.exists()

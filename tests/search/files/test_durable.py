"""A file is replaced whole or not at all, and is on the disk before it is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from search.files import durable


def test_what_breaks_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    file = durable.write(tmp_path / "folder" / "file", "old")
    with pytest.raises(KeyboardInterrupt), durable.replacing(file) as half:
        half.write(b"ne")
        raise KeyboardInterrupt
    assert [path.read_text() for path in file.parent.iterdir()] == ["old"]
    assert durable.write(file, b"new").read_text() == "new"


def test_parts_of_the_dead_are_removed_and_those_of_the_living_left(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    parts = {
        whose: tmp_path / f".{pid}-file[1]" for whose, pid in (("dead", dead.pid), ("root", 1))
    }
    other = tmp_path / f".{dead.pid}-file1"
    for part in (*parts.values(), other):
        part.write_text("half")
    durable.write(tmp_path / "file[1]", "whole")
    assert not parts["dead"].exists()
    assert parts["root"].exists() and other.exists()


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(number: int) -> None:
        done.append("folder" if Path(f"/proc/self/fd/{number}").resolve().is_dir() else "content")
        sync(number)

    def named(self: Path, target: Path) -> Path:
        done.append("name")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", named)
    durable.write(tmp_path / "file", "content")
    assert done == ["content", "name", "folder"]

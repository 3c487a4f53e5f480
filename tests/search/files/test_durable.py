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


def test_a_folder_follows_the_newest_call_and_keeps_what_others_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held() -> dict[str, str]:
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        return {str(path.relative_to(tmp_path)): path.read_text() for path in files}

    def replace(**contents: str) -> None:
        made = {name.replace("_", "/"): text.encode() for name, text in contents.items()}
        durable.replace_files(tmp_path, made, names="files.txt")

    (tmp_path / "own").write_text("mine")
    replace(a_old="1", b="1")
    assert held() == {"own": "mine", "a/old": "1", "b": "1", "files.txt": "a/old\nb\n"}
    write = durable.write

    def killed(path: Path, content: bytes | str) -> Path:
        if path.name == "b":
            raise KeyboardInterrupt
        return write(path, content)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(durable, "write", killed)
        replace(a_new="2", b="2", c="2")
    assert {**held(), "files.txt": ""} == {
        **{"own": "mine", "a/old": "1", "a/new": "2", "b": "1", "files.txt": ""}
    }
    replace(b="3")
    assert held() == {"own": "mine", "b": "3", "files.txt": "b\n"}
    with pytest.raises(FileExistsError, match="own"):
        replace(b="4", own="4")
    assert held() == {"own": "mine", "b": "3", "files.txt": "b\n"}

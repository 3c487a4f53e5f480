"""JSON that bears hashes says what of it and of the files beside it was changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from search.files import seals


def look(file: Path) -> None:
    assert file.read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").write_bytes(b"weights")
    sealed = seals.seal({"x": [0.1, float("nan")], "y": {"z": None}}, {"a": tmp_path / "a"})
    (tmp_path / "s.json").write_text(json.dumps(sealed, indent=1))
    return tmp_path


def damaged(folder: Path) -> str | None:
    return seals.damaged(folder, "s.json", {"a": look})


def test_what_was_not_touched_is_whole(folder: Path) -> None:
    assert damaged(folder) is None
    (folder / "s.json").write_text(json.dumps(seals.read(folder / "s.json")))
    assert damaged(folder) is None, "how it is laid out does not matter"


@pytest.mark.parametrize("content", [None, b"", b"weight", b"weightz"])
def test_a_file_beside_it(folder: Path, content: bytes | None) -> None:
    (folder / "a").unlink()
    if content is not None:
        (folder / "a").write_bytes(content)
    assert damaged(folder) == "a"


@pytest.mark.parametrize("change", [None, "", "{", "[]", "\xff", "number", "hash", 10**5 * "["])
def test_the_file_itself(folder: Path, change: str | None) -> None:
    file = folder / "s.json"
    written = file.read_text()
    known = json.loads(written)[seals.HASHES]["a"]
    changed = {"number": written.replace("0.1", "0.2"), "hash": written.replace(known, "0" * 16)}
    file.unlink()
    if change is not None:
        file.write_text(changed.get(change, change), encoding="latin-1")
    assert damaged(folder) == "s.json"


def test_without_hashes_what_can_be_read_is_whole(folder: Path) -> None:
    (folder / "s.json").write_text('{"x": 1}')
    (folder / "a").write_bytes(b"other")
    assert damaged(folder) is None
    (folder / "a").write_bytes(b"")
    assert damaged(folder) == "a"


def test_a_file_is_read_again_only_after_it_was_written_to(folder: Path) -> None:
    read: list[Any] = []

    def count(file: Path) -> bytes:
        read.append(file)
        return file.read_bytes()

    assert [seals.once(count, folder / "a") for _ in range(3)] == [b"weights"] * 3
    assert len(read) == 1
    (folder / "a").write_bytes(b"stronger")
    os.utime(folder / "a", ns=(1, 1))
    assert seals.once(count, folder / "a") == b"stronger"

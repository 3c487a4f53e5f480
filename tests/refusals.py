"""How a command refuses: a status, at most three lines, no traceback, nothing left behind."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest


def contents(folder: Path, *, folders: bool = True) -> dict[str, str]:
    """Every file and folder below a folder, files with a digest of what is in them."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in folder.rglob("*")
        if folders or path.is_file()
    }


def attempt(
    main: Callable[[list[str]], int],
    capfd: pytest.CaptureFixture[str],
    status: int,
    *arguments: str,
    leaves: Sequence[str] = (),
    folders: bool = True,
) -> str:
    """What the command says on stderr when it refuses; only `leaves` may be new afterwards."""
    before = contents(Path.cwd(), folders=folders)
    capfd.readouterr()
    try:
        ended: object = main(list(arguments))
    except SystemExit as end:
        ended = end.code
    out, err = capfd.readouterr()
    assert out == ""
    check(ended, status, err)
    after = contents(Path.cwd(), folders=folders)
    for name in leaves:
        after.pop(name, None)
        before.pop(name, None)
    assert after == before, "something was left behind"
    return err


def check(ended: object, status: int, err: str) -> None:
    """The status and the form of what was said."""
    assert ended == status, err
    assert err.startswith("error: "), err
    assert 1 <= len(err.splitlines()) <= 3, err
    assert "Traceback" not in err
    assert "--debug" not in err, f"an error that nobody foresaw: {err}"
    assert max(map(len, err.splitlines())) < 400

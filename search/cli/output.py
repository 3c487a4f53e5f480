"""Standard output that can fail: its reader ended, its disk is full, or it was never open."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

from search.cli.notebook import in_notebook
from search.errors import without_secrets

if TYPE_CHECKING:
    from rich.console import Console


class _Unbroken(io.FileIO):
    """A file that drops the data it cannot write, so that a lost reader does not end a search."""

    def write(self, data) -> int:  # type: ignore[no-untyped-def,override]
        try:
            return super().write(data)
        except OSError:
            return len(data)


class _Discreet(io.TextIOWrapper):
    """A text stream that hides secrets: libraries print and log the addresses that they get."""

    def write(self, text: str, /) -> int:
        return super().write(without_secrets(text))


def unbroken(descriptor: int, *, owned: bool = True) -> TextIO:
    """A line-buffered text stream to `descriptor` that never fails to write and hides secrets."""
    raw = io.BufferedWriter(_Unbroken(descriptor, "w", closefd=owned))
    return _Discreet(raw, encoding="utf-8", errors="replace", line_buffering=True)


def console(screen: IO[str] | None = None, *, quiet: bool = False) -> Console:
    """What a command prints with, to standard output or `screen`; in a notebook too it is text."""
    from rich.console import Console

    return Console(file=screen, highlight=False, quiet=quiet, force_jupyter=False)


def say(console: Console, text: str, style: str = "") -> None:
    """Print the text as it is: brackets in it are no styles, and only the terminal wraps it."""
    console.print(text, style=style, markup=False, soft_wrap=True)


def warn(console: Console, line: str) -> None:
    """Print a warning in yellow."""
    say(console, line, "yellow")


def keep_standard_streams() -> None:
    """Let the command go on if standard output fails; the exit status does not change.

    The function first opens closed descriptors on the null device: else the next opened file, a
    database for instance, would take their numbers and receive the printed text.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or stream is getattr(sys, f"__{name}__"):  # else a caller captures it
            with suppress(OSError):
                if stream:
                    stream.flush()
            setattr(sys, name, unbroken(descriptor, owned=False))


@contextmanager
def output_to(path: Path) -> Iterator[IO[str]]:
    """Send all printed output, that of libraries and of C++ included, to the file at `path`.

    Yields the real standard output, for the lines that the user is to see; in a notebook, its cell.
    """
    cell = sys.stdout if in_notebook() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("ab") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    screen = cell or unbroken(os.dup(kept[0]))
    try:
        with ExitStack() as streams:
            if cell:  # its streams are no files
                log = streams.enter_context(path.open("a", encoding="utf-8"))
                streams.enter_context(redirect_stdout(log))
                streams.enter_context(redirect_stderr(log))
            yield screen
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # the log's disk is full; the user has the messages
                stream.flush()
        if not cell:
            screen.close()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for descriptor in kept:
            os.close(descriptor)

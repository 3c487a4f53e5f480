"""Let signals end a command in order."""

from __future__ import annotations

import shlex
import signal
import threading
from typing import TYPE_CHECKING, Any

from search.cli import output
from search.errors import without_secrets

if TYPE_CHECKING:
    from rich.console import Console


class Interrupted(Exception):
    """A signal asked to stop; what is done is kept."""


class StopOnSignal:
    """While entered, the first signal sets `event`; a second one interrupts at once."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.event = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopOnSignal:
        before = {number: signal.getsignal(number) for number in self.SIGNALS}
        if before[signal.SIGHUP] is signal.SIG_IGN:  # nohup set that
            del before[signal.SIGHUP]
        self._before = before
        self.listen()
        return self

    def __exit__(self, *unused: object) -> None:
        for number, handler in self._before.items():
            if threading.current_thread() is threading.main_thread():
                signal.signal(number, handler)

    def listen(self) -> None:
        """Install the handlers; call it again after Ray has installed its own at its start."""
        if threading.current_thread() is threading.main_thread():
            for number in self._before:
                signal.signal(number, self._note)

    def _note(self, number: int, frame: Any) -> None:
        if self.event.is_set():
            raise KeyboardInterrupt
        self.event.set()


def show_interrupted(console: Console, *command: Any) -> None:
    """Say how to go on: `command` is what was called, word by word."""
    again = shlex.join(["python", *map(str, command)])
    what = f"interrupted; what is trained is kept. To go on: {without_secrets(again)}"
    output.say(console, what)

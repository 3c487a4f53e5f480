"""Errors meant for the person at the terminal."""

from __future__ import annotations

FAILED = 1
WRONG_ARGUMENTS = 2
INTERRUPTED = 130


class UserError(Exception):
    """Up to three lines: what is wrong, which value was given, how to mend it.

    `status` is the exit status: 2 when the arguments were wrong, 1 when the work failed.
    """

    def __init__(self, message: str, *, status: int = WRONG_ARGUMENTS) -> None:
        super().__init__(message)
        self.status = status

"""Errors meant for the person at the terminal."""

from __future__ import annotations


class UserError(Exception):
    """Up to three lines: what is wrong, which value was given, how to fix it.

    Attributes:
        status: the command's exit status: 2 when the arguments were wrong, 1 when the work failed.
    """

    status = 2

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class DataError(UserError):
    """Data that is missing, unreadable or damaged, or an argument that does not fit it."""

    status = 1

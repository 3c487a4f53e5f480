"""Errors meant for the person at the terminal."""

from __future__ import annotations

import re

from trainers.errors import UserError as UserError

SECRETS = (
    (re.compile(r"//[^\s/@]*:\S*@|//[^\s/]*@"), "//***@"),
    (re.compile(r"[^\s/:@'\"]+:[^\s/@]+@"), "***@"),  # in an address without //
    (  # in a query; MLflow's own links have a viewStateShareKey, which is not secret
        re.compile(
            r"(?i)([?&](?!viewState)[\w-]*(?:pass|pwd|token|secret|key|auth)[\w-]*=)[^&\s'\"]*"
        ),
        r"\1***",
    ),
)

FAILED = 1
WRONG_ARGUMENTS = 2
INTERRUPTED = 130
LINES, WIDTH = 3, 390


class Failure(UserError):
    """The arguments were right and the work failed: the command ends with status 1."""

    status = FAILED


def shorten(message: str) -> str:
    """Cut a message to at most three lines of fewer than 400 characters, out of their middle.

    A line names a value early and its fault late, so that the reader still sees both.
    """
    lines = message.splitlines()
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], lines[-1]]
    half = (WIDTH - 5) // 2
    return "\n".join(
        line if len(line) <= WIDTH else f"{line[:half]} ... {line[-half:]}" for line in lines
    )


def without_secrets(text: str) -> str:
    """The text, with user names, passwords and tokens removed from the addresses in it."""
    for secret, shown in SECRETS:
        text = secret.sub(shown, text)
    return text

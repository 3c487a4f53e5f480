"""Command-line arguments: their kinds, and errors that name the nearest valid one."""

from __future__ import annotations

import argparse
import re
import sys
from typing import NoReturn

from search.errors import WRONG_ARGUMENTS
from search.pipeline import nearest, pipeline_names

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
DATA_SETS_OF_OUR_OWN = ("mini",)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are two lines and name the nearest valid option."""

    def parse_args(self, args=None, namespace=None):  # type: ignore[override, no-untyped-def]
        """As in argparse, with the nearest option for an unknown one.

        The words themselves are kept as `arguments`.
        """
        words = sys.argv[1:] if args is None else list(args)
        parsed, unknown = self.parse_known_args(words, namespace)
        parsed.arguments = words
        if unknown:
            options = [o for action in self._actions for o in action.option_strings]
            given = unknown[0].split("=")[0]
            hint = nearest(given, options) if given.startswith("-") else ""
            if not hint.startswith("; did"):
                hint = ""
            self.error(f"unknown argument {unknown[0]!r}{hint}")
        return parsed

    def error(self, message: str) -> NoReturn:
        """Two lines and exit status 2."""
        message = re.sub(r"^argument (\S+?)(/\S+)?: ", r"\1: ", message)
        self.exit(WRONG_ARGUMENTS, f"error: {message}\nsee {self.prog} --help\n")


def positive(text: str) -> int:
    """A whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small, at least 1 is needed")
    return value


def whole(text: str) -> int:
    """A whole number of at least 0."""
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"{value} is out of range, 0 to {2**31 - 1}")
    return value


def fraction(text: str) -> float:
    """A share of a GPU, or a whole number of them; 0 means none."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0 <= value < 1024 or (value > 1 and value != int(value)):
        raise argparse.ArgumentTypeError(f"{text} is neither in [0, 1] nor a whole number")
    return value


def duration(text: str) -> float:
    """Seconds, from `90`, `90s`, `30m`, `2h` or `1d`."""
    match = DURATION.fullmatch(text.strip())
    if not match or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; say 90s, 30m, 2h or 1d")
    return float(match[1]) * SECONDS[match[2]]


def name(text: str) -> str:
    """A study's name: it becomes a folder, so no slashes and no leading dot."""
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no name; letters, digits, '.', '_' and '-', up to 100 of them"
        )
    return text


def pipeline(text: str) -> str:
    """The name of a pipeline."""
    names = pipeline_names()
    if text not in names:
        raise argparse.ArgumentTypeError(f"no pipeline {text!r}{nearest(text, names)}")
    return text


def one_of(*allowed: str):  # type: ignore[no-untyped-def]
    """One of these words, with the nearest in the error."""

    def check(text: str) -> str:
        if text not in allowed:
            raise argparse.ArgumentTypeError(f"no {text!r} here{nearest(text, list(allowed))}")
        return text

    return check

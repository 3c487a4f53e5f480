"""What the commands share: kinds of arguments, common options, errors that help, exit statuses."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from search.errors import FAILED, INTERRUPTED, WRONG_ARGUMENTS, UserError
from search.pipeline import nearest, pipeline_names

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
EVERY = "all"
FORMATS = ("html", "pdf", "png", "svg", "csv", "tex")


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


def pipeline_or_all(text: str) -> str:
    """The name of a pipeline, or `all`."""
    if text == EVERY:
        return text
    names = pipeline_names()
    if text not in names:
        raise argparse.ArgumentTypeError(f"no pipeline {text!r}{nearest(text, [*names, EVERY])}")
    return text


def some_of(*names: str, what: str) -> Callable[[str], tuple[str, ...]]:
    """A type for some of `names`, separated by commas; `what` is one of them, for people."""

    def parse(text: str) -> tuple[str, ...]:
        given = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
        for one in given:
            if one not in names:
                raise argparse.ArgumentTypeError(f"no {what} {one!r}{nearest(one, list(names))}")
        return given

    return parse


def new_file(text: str) -> str:
    """A file to be written, in a folder that is there."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; give a file's name")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} to write into")
    return text


def add_data(parser: argparse.ArgumentParser) -> Any:
    """`--data-dir` and `--data mini`; returns the group."""
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder with MNIST/ or cifar-10-batches-py/ (default: $DATA_DIR, ./data, download)",
    )
    data.add_argument(
        "--data",
        type=one_of("mini"),
        metavar="mini",
        help="a small stand-in that needs no download; its numbers are not results",
    )
    return data


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Where trainings run, and how many at a time."""
    where = parser.add_argument_group("machine")
    where.add_argument(
        "--device",
        type=one_of("auto", "cpu", "cuda"),
        default="auto",
        metavar="NAME",
        help="auto (default: a GPU where there is one), cpu or cuda",
    )
    where.add_argument(
        "--concurrency",
        type=positive,
        metavar="K",
        help="trials at a time (default: as many as fit)",
    )
    where.add_argument(
        "--cpus-per-trial",
        type=positive,
        metavar="C",
        help="threads of a trial (default 1 on CPUs)",
    )
    where.add_argument(
        "--gpus-per-trial",
        type=fraction,
        metavar="G",
        help="share of a GPU (default: from measured memory)",
    )
    where.add_argument("--address", metavar="auto|HOST:PORT", help="join a running Ray cluster")


def add_tracking(group: Any) -> None:
    """`--tracking-uri`."""
    group.add_argument(
        "--tracking-uri",
        metavar="URI",
        help="MLflow's store (default: $MLFLOW_TRACKING_URI, else mlruns/mlflow.db here)",
    )


def add_output(group: Any) -> None:
    """`--quiet` and `--debug`."""
    group.add_argument("--quiet", action="store_true", help="print nothing but errors")
    group.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)


def add_results(parser: argparse.ArgumentParser, *, seed: str) -> None:
    """`--seed`, `--tracking-uri`, `--json`, `--quiet`: of a command that trains for numbers.

    Args:
        seed: what the seed is of.
    """
    other = parser.add_argument_group("records and output")
    other.add_argument("--seed", type=whole, default=0, metavar="S", help=f"of {seed} (default 0)")
    add_tracking(other)
    other.add_argument("--json", type=new_file, metavar="FILE", help="write everything to FILE")
    add_output(other)


def run(options: argparse.Namespace, command: Callable[[argparse.Namespace], int]) -> int:
    """The command's exit status; an error becomes a few lines, with `--debug` a traceback."""
    try:
        return command(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if options.debug:
            raise
        print(_explain(error), file=sys.stderr)
        return error.status if isinstance(error, UserError) else FAILED


def _explain(error: Exception) -> str:
    from trainers.data import DataError

    if isinstance(error, UserError | DataError):
        return f"error: {error}"
    reason = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {reason[0] if reason else 'no message'}"
    return f"error: {what[:500]}\nrun again with --debug for the traceback"

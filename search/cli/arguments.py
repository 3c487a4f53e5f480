"""The commands' argument types, common options, error messages and exit statuses."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from search.cli.output import keep_standard_streams
from search.errors import FAILED, INTERRUPTED, WRONG_ARGUMENTS, UserError, shorten, without_secrets
from search.files.home import HOME, OWN
from search.spaces.pipeline import nearest, pipeline_names, read_own

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
EVERY = "all"
LONGEST_NAME = 200  # bytes; file systems take 255, and a partial file has a longer name
Number = TypeVar("Number", int, float)
OWN_IMAGES = ("folder", "npz", "torchvision")
FORMATS = ("html", "pdf", "png", "svg", "csv", "tex")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are two lines and name the nearest valid option.

    Attributes:
        raises: whether an error is an exception, for a caller from Python.
    """

    raises = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def parse_args(self, args=None, namespace=None):  # type: ignore[override, no-untyped-def]
        """As in argparse, with the nearest option for an unknown one.

        The result keeps the words themselves as `arguments`.
        """
        words = sys.argv[1:] if args is None else list(args)
        try:
            "".join([str(Path.cwd()), *words]).encode()
        except UnicodeEncodeError:  # no database could be opened below such a path
            self.error("a path has characters that this locale lacks; export PYTHONUTF8=1")
        except FileNotFoundError:
            self.error("the current folder is gone; go to another one")
        for word in words:
            if word.startswith("--") and word.endswith("=--"):  # argparse parses it as a list
                self.error(f"{word[:-3]}: '--' is not a value")
        try:
            parsed, unknown = self.parse_known_args(words, namespace)
        except UserError as error:  # of a user's own pipeline
            if self.raises:
                raise
            self.exit(error.status, f"error: {shorten(without_secrets(str(error)))}\n")
        except OSError as error:  # no file can have this name
            self.error(f"{error.filename}: {error.strerror}")
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
        """Print two lines and exit with status 2."""
        message = re.sub(r"^argument (\S+?)(/\S+)?: ", r"\1: ", message)
        if self.raises:
            raise UserError(without_secrets(message))
        text = shorten(without_secrets(f"error: {message}\nsee {self.prog} --help"))
        self.exit(WRONG_ARGUMENTS, f"{text}\n")


def filled(text: str) -> str:
    """A text that is not empty: an empty one comes from an unset variable of a shell."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give a value or leave the option out")
    return text


def positive(text: str) -> int:
    """A whole number of at least 1."""
    value = _number(int, text, "a whole number")
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small, at least 1 is needed")
    return value


def whole(text: str) -> int:
    """A whole number of at least 0."""
    value = _number(int, text, "a whole number")
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"{value} is out of range, 0 to {2**31 - 1}")
    return value


def finite(text: str) -> float:
    """A number that is one."""
    value = _number(float, text, "a number")
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not finite")
    return value


def fraction(text: str) -> float:
    """A share of the one GPU that a trial uses; 0 means none."""
    value = _number(float, text, "a number")
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, 1]: a trial uses one GPU at most")
    return value


def _number(kind: type[Number], text: str, what: str) -> Number:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}") from None


def duration(text: str) -> float:
    """Seconds, from `90`, `90s`, `30m`, `2h` or `1d`."""
    match = DURATION.fullmatch(text.strip())
    if not match or float(match[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; say 90s, 30m, 2h or 1d")
    return float(match[1]) * SECONDS[match[2]]


def name(text: str) -> str:
    """A study's name; it becomes a folder's, so it has no slash and no leading dot."""
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a valid name; use up to 100 letters, digits, '.', '_' and '-'"
        )
    return text


def pipeline(text: str, also: Sequence[str] = ()) -> str:
    """The name of a pipeline, or one of `also`; or a user's file with one.

    A file is needed once: a search keeps its text, and the file's name stands for it from then on.
    """
    names = [*pipeline_names(), *also]
    kept = HOME / OWN / f"{text}.py"
    if text.endswith(".py") or (text not in names and kept.exists()):
        return read_own(Path(text) if text.endswith(".py") else kept)
    if text not in names:
        raise argparse.ArgumentTypeError(f"no pipeline {text!r}{nearest(text, names)}")
    return text


def images(text: str) -> str:
    """`mini`, or a user's own images."""
    kind, colon, where = text.partition(":")
    if text != "mini" and not (kind in OWN_IMAGES and where):
        allowed = ["mini", *(f"{kind}:" for kind in OWN_IMAGES)]
        raise argparse.ArgumentTypeError(f"no {text!r} here{nearest(kind + colon, allowed)}")
    return text


def one_of(*allowed: str):  # type: ignore[no-untyped-def]
    """A type for one of these words; its error names the nearest."""

    def check(text: str) -> str:
        if text not in allowed:
            raise argparse.ArgumentTypeError(f"no {text!r} here{nearest(text, list(allowed))}")
        return text

    return check


def some_of(*names: str, what: str) -> Callable[[str], tuple[str, ...]]:
    """A type for some of `names`, separated by commas; the error calls one of them `what`."""

    def parse(text: str) -> tuple[str, ...]:
        given = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
        for one in given:
            if one not in names:
                raise argparse.ArgumentTypeError(f"no {what} {one!r}{nearest(one, list(names))}")
        return given

    return parse


def new_file(text: str) -> str:
    """A regular file to write, in an existing folder; a link stands for its target."""
    path = Path(text)
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"{text[:60]}... is too long a name for a file")
    if path.is_symlink():  # the partial file must lie beside the target
        path = path.resolve()
        text = str(path)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; give a file's name")
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent} to write into")
    if path.exists() and not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a regular file; give another name")
    _try_folder(path.parent)
    return text


def new_folder(text: str) -> str:
    """A folder to write into; if it is missing, a later step creates it."""
    path = Path(text).absolute()
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in path.parts):
        raise argparse.ArgumentTypeError(f"{text[:60]}... is too long a name for a folder")
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        raise argparse.ArgumentTypeError(f"{there} is not a folder; name another")
    _try_folder(there)
    return text


def _try_folder(folder: Path) -> None:
    import tempfile

    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise argparse.ArgumentTypeError(
            f"cannot write into {folder}: {reason}; name another"
        ) from None


def add(group: Any, option: str, parse: Callable[[str], Any], help: str, **settings: Any) -> None:
    """Add an option to a parser or to a group of its options.

    Args:
        option: its name, and that of its value in the help: `--trials N`.
        parse: raises an ArgumentTypeError for a value that is not valid.
    """
    name, metavar = option.split()
    group.add_argument(name, type=parse, metavar=metavar, help=help, **settings)


def add_data(parser: argparse.ArgumentParser, *, own: bool = True) -> Any:
    """`--data-dir` and `--data`; returns the group.

    Args:
        own: whether the command takes a user's own images, too.
    """
    data = parser.add_argument_group("data")
    where = "folder with MNIST/ or cifar-10-batches-py/ (default: $DATA_DIR, ./data, download)"
    add(data, "--data-dir DIR", filled, where)
    which = (
        "folder:DIR, npz:FILE or torchvision:NAME: your own images (docs/your-images.md); "
        "mini: a small stand-in that needs no download; its numbers are not results"
    )
    add(data, "--data WHICH", images, which)
    if own:
        side = "scale your own images to N x N (default: as they are up to 64 x 64, else 32)"
        add(data, "--image-size N", positive, side)
        flip = "a mirrored image of your own may be of another class"
        data.add_argument("--no-flip", action="store_true", help=flip)
        skip = "leave out images of your own that cannot be read"
        data.add_argument("--skip-unreadable", action="store_true", help=skip)
    return data


def add_machine(parser: argparse.ArgumentParser) -> None:
    """The options for where trainings run, and how many at a time."""
    option = partial(add, parser.add_argument_group("machine"))
    device = "auto (default: a GPU where there is one), cpu or cuda"
    option("--device NAME", one_of("auto", "cpu", "cuda"), device, default="auto")
    option("--concurrency K", positive, "trials at a time (default: as many as fit)")
    option("--cpus-per-trial C", positive, "threads of a trial (default 1 on CPUs)")
    option("--gpus-per-trial G", fraction, "share of a GPU (default: from measured memory)")
    option("--address auto|HOST:PORT", filled, "join a running Ray cluster")


def add_tracking(group: Any) -> None:
    """`--tracking-uri`."""
    store = (
        "MLflow's store (default: $MLFLOW_TRACKING_URI, else mlruns/mlflow.db here); its "
        "user and password: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
    )
    add(group, "--tracking-uri URI", filled, store)


def add_output(group: Any) -> None:
    """`--quiet` and `--debug`."""
    group.add_argument("--quiet", action="store_true", help="print nothing but errors")
    group.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)


def add_results(parser: argparse.ArgumentParser, *, seed: str) -> None:
    """`--seed`, `--tracking-uri`, `--json`, `--quiet`: for commands that train for numbers.

    Args:
        seed: the thing that the seed determines, for the help.
    """
    other = parser.add_argument_group("records and output")
    add(other, "--seed S", whole, f"base of {seed} (default 0)", default=0)
    add_tracking(other)
    add(other, "--json FILE", new_file, "write everything to FILE")
    add_output(other)


def run(options: argparse.Namespace, command: Callable[[argparse.Namespace], int]) -> int:
    """Run the command; returns its exit status.

    An error is printed as a few lines, with `--debug` as a traceback.
    """
    keep_standard_streams()
    try:
        return command(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if options.debug:
            text = without_secrets(traceback.format_exc().rstrip())
        else:
            text = shorten(without_secrets(_explain(error, options)))
        print(text, file=sys.stderr)
        return error.status if isinstance(error, UserError) else FAILED


def _explain(error: Exception, options: argparse.Namespace) -> str:
    from search.files.sqlite import explain_damage

    if isinstance(error, UserError):
        return f"error: {error}"
    damage = explain_damage(error, getattr(options, "tracking_uri", None))
    if damage:
        return f"error: {damage}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"error: {error.filename}: {error.strerror or error}"
    reason = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {reason[0] if reason else 'no message'}"
    return f"error: {what}\nrun again with --debug for the traceback"

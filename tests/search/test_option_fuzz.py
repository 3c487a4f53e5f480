"""Every option of every command, given what no option takes: always refused, in a few lines.

What is tried is drawn from a seeded list, so that it is the same each time.
"""

from __future__ import annotations

import io
import random
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from itertools import product
from pathlib import Path

import pytest

from analysis import publish, report
from search import doctor, rerun, sweep, tune

# Nothing answers there, and there is no store: what takes any value is refused for that.
NOWHERE = ("--address", "127.0.0.1:1", "--tracking-uri", "http://127.0.0.1:1")
PIPELINE = ("--pipeline", "mnist_supervised", "--data", "mini")
COMMANDS: dict[str, tuple[Callable[..., int], Callable[[], ArgumentParser], tuple[str, ...]]] = {
    "tune": (tune.main, tune.parser, (*PIPELINE, *NOWHERE)),
    "rerun": (rerun.main, rerun.parser, (*PIPELINE, *NOWHERE)),
    "sweep": (sweep.main, sweep.parser, ("--sweep", "depth", "--data", "mini", *NOWHERE)),
    "doctor": (doctor.main, doctor.parser, ()),
    "report": (report.main, report.parser, ()),
    "publish": (publish.main, publish.parser, ()),
}
VALUES = (
    *("", " ", "\n", "\t\n\r\n\n\n", "-", "--", "=", "a=b=c", "x" * 5000, "[" * 3000, "y\n" * 3000),
    *("nan", "inf", "-inf", "1e400", "-1", "0", "0x10", "9" * 30, "9" * 5000, "²", "٣", "1,1,,2"),
    *("None", "null", "{}", "%s%n", "{0.__class__}", "$(id)", "`id`", "'\"", "\\", "[bold]x"),
    *("../../x", "/dev/null/x", "/proc/self/mem", "~nobody-by-this-name/x", "/", ".", "a/" * 2000),
    *("\x1b[31mred", "\u202etfel", "\U0001f4a5", "\udc80", "\x7f", "e\u0301", "\u2028", "<b>"),
    *("http://[::1", "http://", "http://127.0.0.1:\u00b2", "http://127.0.0.1:1/?token=x"),
    *("sqlite:", "sqlite://", "sqlite:///", "sqlite:///.", "sqlite:////dev/null/x", "file:///x"),
    *("postgresql://", "postgresql://127.0.0.1:1/x", "mysql://[", "://", "s3://x", "databricks"),
    *("127.0.0.1:\u00b2", "127.0.0.1:99999", "127.0.0.1:-1", "a..b:1", "[::1", "[::1]:1", ":1"),
    *("lr=", "=1", "lr=1:2:3", "lr=nan", "lr=0:inf", "width=" + "9" * 400, "block=\n", "width=,"),
    "sqlite+x:///y",
)
ROUNDS = 300  # of each command, with one option and with two


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_no_value_of_an_option_is_too_odd_to_be_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, parser, base = COMMANDS[command]
    monkeypatch.chdir(tmp_path)
    options = [
        action.option_strings[-1]
        for action in parser()._actions
        if "--debug" not in action.option_strings
    ]
    draw = random.Random(28)
    odd = [[f"{option}={value}"] for option, value in product(options, VALUES)]
    tried = draw.sample(odd, ROUNDS)
    tried += [[*draw.choice(odd), *draw.choice(odd)] for _ in range(ROUNDS)]
    tried += [[value] for value in VALUES]
    wrong = []
    for words in tried:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            try:
                status: object = main([*base, *words])
            except SystemExit as end:
                status = end.code
            except Exception as error:
                status = repr(error)
        said = err.getvalue()
        problem = fault(status, out.getvalue(), said, [*tmp_path.iterdir()])
        if problem:
            wrong.append(f"{problem}: {[word[:60] for word in words]} -> {status}: {said[:600]}")
    assert not wrong, "\n".join(wrong)


def fault(status: object, out: str, err: str, left: list[Path]) -> str:
    """What is wrong with a refusal, or nothing."""
    lines = err.splitlines()
    if status not in (1, 2):
        return "not refused"
    if out or not err.startswith("error: "):
        return "no error alone"
    if len(lines) > 3 or max(map(len, lines)) > 400:
        return "too long"
    if "Traceback" in err or "--debug" in err:
        return "unforeseen"
    return f"left behind: {left}" if left else ""

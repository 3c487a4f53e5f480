"""What commands take for an argument, and what they say of a wrong one and of an error."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from analysis import report
from search import rerun, sweep, tune
from search.cli import arguments
from search.errors import UserError
from search.tune import parser
from tests import commands
from tests.refusals import attempt
from tests.unprivileged import unprivileged
from trainers.data import DataError

ROOT = Path(__file__).resolve().parents[3]


DURATIONS = {"90": 90, "90s": 90, "30m": 1800, "2h": 7200, "1d": 86400, "1.5h": 5400, " 5m ": 300}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_durations(text: str, seconds: float) -> None:
    assert arguments.duration(text) == seconds


@pytest.mark.parametrize("text", ["a", "cifar_contrastive-20250101", "A.b-c_d", "0", "x" * 100])
def test_names(text: str) -> None:
    assert arguments.name(text) == text


COUNTS = ("trials", "epochs", "train-size", "concurrency")
FILLED = ("address", "tracking-uri", "data-dir", "replay")


def names(option: str, values: Sequence[str]) -> list[list[str]]:
    return [[f"{option}={value}"] for value in values]


WHOLE = ("x", "1.5", "")
TWO_GOALS = ("--objective", "valid/accuracy", "--objective", "train/loss:min")
NO_NAMES = ("", "a/b", "/a", "..", ".hidden", "a b", "a\n", "ä", "-x", "a\\b", "x" * 101)
NO_DURATIONS = ("soon", "", "0", "0s", "-5", "5 m", "m", "1h30m", "1e3", "nan")
ONE = ("--pipeline", "mnist_supervised")
# (command, attempts, what is said of each); an option that commands share is tried with one.
REFUSED: list[tuple[ModuleType, list[list[str]], str]] = [
    (tune, names("--pipeline", ["cifar_contrastiv"]), "did you mean cifar_contrastive?"),
    (tune, names("--pipeline", ["zzz", "../plan", ""]), "no pipeline"),
    (tune, [[]], "--pipeline is needed, one of: cifar_"),
    (tune, [["--trails", "5"], ["--trails=5"]], "did you mean --trials?"),
    (tune, [["--zzzzzz"], ["extra"]], "unknown argument"),
    (tune, names("--sampler", ["tpee"]), "did you mean tpe?"),
    (tune, names("--sampler", ["grid", "x" * 5000]), "auto, tpe+gp, tpe, gp, random"),
    (tune, names("--scheduler", ["predictiv"]), "did you mean predictive?"),
    (tune, names("--device", ["cud"]), "did you mean cuda?"),
    (tune, names("--data", ["minni"]), "did you mean mini?"),
    (tune, [["--trials"]], "--trials: expected one argument"),
    (tune, [[f"--{option}=0"] for option in COUNTS], "0 is too small"),
    (tune, [["--trials", "-1"], ["--trials=-1"]], "-1 is too small"),
    (tune, [*names("--trials", WHOLE), *names("--seed", WHOLE)], "is not a whole number"),
    (tune, names("--seed", ["-3", str(2**31)]), "is out of range"),
    (tune, names("--gpus-per-trial", ["2", "-0.5", "nan", "inf"]), "a trial uses one GPU at most"),
    (tune, names("--gpus-per-trial", ["x"]), "'x' is not a number"),
    (tune, names("--time-budget", NO_DURATIONS), "is not a duration; say 90s, 30m, 2h or 1d"),
    (tune, names("--study", NO_NAMES), "is not a valid name"),
    (tune, names("--target", ["nan"]), "nan is not finite"),
    (tune, [[*TWO_GOALS, "--target", "0.9"]], "there are two\nleave them out"),
    (tune, [[f"--{option}="] for option in FILLED], "is empty"),
    (tune, names("--data-dir", [" "]), "is empty"),
    (rerun, [[]], "required: --pipeline"),
    (rerun, names("--pipeline", ["al"]), "did you mean all?"),
    (rerun, names("--pipeline", ["mnist_supcn"]), "did you mean mnist_supcon?"),
    (rerun, names("--pipeline", ["zzz"]), ", all"),
    (rerun, [["--top=0"], ["--seeds=0"], ["--epochs=0"]], "0 is too small"),
    (rerun, names("--seeds", WHOLE), "is not a whole number"),
    (rerun, [["--sedes", "2"]], "did you mean --seeds?"),
    (rerun, names("--without", ["default"]), "no row 'default'; did you mean defaults?"),
    (rerun, names("--without", ["PCA"]), "no row 'PCA'"),
    (rerun, [["--study", "a", "--trial", "b"]], "--trial"),
    (rerun, names("--json", ["missing/out.json"]), "no folder missing"),
    (rerun, names("--json", [".", ""]), "is a folder"),
    *(
        (rerun, [["--pipeline", "all", option, "a"]], f"{option} belongs to one pipeline")
        for option in ("--study", "--trial", "--config")
    ),
    (sweep, [[]], "--sweep"),
    (sweep, names("--sweep", ["latentdim"]), "did you mean latent_dim?"),
    (sweep, [["--quik"]], "did you mean --quick?"),
    (report, names("--out", ["/dev/full"]), "/dev/full is not a folder; name another"),
    (sweep, [["--seeds=0"], ["--epochs=0"], ["--train-size=0"]], "0 is too small"),
]
USUAL = {tune: ONE, rerun: ONE, sweep: ("--sweep", "depth"), report: ()}


@pytest.mark.parametrize(("command", "attempts", "said"), REFUSED)
def test_wrong_arguments(
    command: ModuleType,
    attempts: list[list[str]],
    said: str,
    empty_folder: None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for words in attempts:
        usual = USUAL[command] if words else ()
        assert said in attempt(command.main, capfd, 2, *usual, *words)


def test_a_place_that_can_be_written_is_not_written_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, link = tmp_path / "there.json", tmp_path / "link"
    there.write_text("old")
    link.symlink_to(there)
    monkeypatch.chdir(tmp_path)
    for text in ("new.json", "./new.json", str(tmp_path / "new.json"), "there.json"):
        assert arguments.new_file(text) == text
    for text in ("new", "new/er/", ".", str(tmp_path)):
        assert arguments.new_folder(text) == text
    assert arguments.new_file(str(link)) == str(there)
    assert there.read_text() == "old" and {*tmp_path.iterdir()} == {there, link}


@pytest.mark.parametrize("status", [0, 1])
def test_the_status_of_a_command_is_passed_on(
    status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    given = Namespace(debug=False)
    assert arguments.run(given, lambda options: status if options is given else 77) == status
    assert capsys.readouterr() == ("", "")


AGAIN = "run again with --debug for the traceback\n"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UserError("no such study\nthere are: a"), 2, "error: no such study\nthere are: a\n"),
        (UserError("nothing to do", status=1), 1, "error: nothing to do\n"),
        (DataError("damaged file"), 1, "error: damaged file\n"),
        (ValueError("bad\nsecond line"), 1, f"error: ValueError: bad\n{AGAIN}"),
        (RuntimeError(), 1, f"error: RuntimeError: no message\n{AGAIN}"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, BaseException) else None,
)
def test_an_error_becomes_a_status_and_a_few_lines(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(options: Namespace) -> int:
        raise error

    assert arguments.run(Namespace(debug=False), command) == status
    assert capsys.readouterr() == ("", said)


def test_for_debugging_an_error_has_its_traceback_and_an_interruption_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def wrong(options: Namespace) -> int:
        raise UserError("wrong")

    def stopped(options: Namespace) -> int:
        raise KeyboardInterrupt

    assert arguments.run(Namespace(debug=True), wrong) == 2
    assert capsys.readouterr().err.endswith("UserError: wrong\n")
    assert arguments.run(Namespace(debug=True), stopped) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_help_and_wrong_arguments_answer_before_anything_heavy_is_imported() -> None:
    """The heavy libraries cost seconds; the answer needs none of them."""
    code = (
        "import sys\n"
        "from search.tune import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    status = end.code\n"
        "heavy = {'torch', 'numpy', 'optuna', 'ray', 'mlflow', 'rich'} & set(sys.modules)\n"
        "print('imported', sorted(heavy), 'status', status, file=sys.stderr)\n"
    )
    for given, status in (("--help", 0), ("--trials=0", 2), ("--pipeline=x", 2)):
        done = commands.cold(code, given)
        assert done.err.splitlines()[-1] == f"imported [] status {status}"


@pytest.mark.parametrize("debug", [False, True])
def test_no_error_shows_a_password(debug: bool, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(options: Namespace) -> int:
        raise RuntimeError("500 from http://me:secret@host:5000/api?token=secret")

    assert arguments.run(Namespace(debug=debug), fail) == 1
    shown = capsys.readouterr().err
    assert "secret" not in shown and "500 from http://***@host:5000/api" in shown
    assert ("Traceback" in shown) is debug


def test_a_refused_argument_shows_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments.Parser(prog="tune.py").parse_args(["http://me:secret@host"])
    assert "secret" not in capsys.readouterr().err


@pytest.mark.parametrize("kind", [arguments.new_file, arguments.new_folder])
def test_a_place_that_takes_no_files_is_refused_before_the_work(
    kind: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    reasons = r"no folder|not a (folder|regular)|cannot write|too long"
    for text in ("/dev/full", "/proc/x", "x" * 300, str(tmp_path / "file" / "x")):
        with pytest.raises(ArgumentTypeError, match=reasons):
            kind(text)
    tmp_path.chmod(0o555)
    words = r"cannot write into .*: Permission"
    with unprivileged(tmp_path), pytest.raises(ArgumentTypeError, match=words):
        kind(str(tmp_path / "new"))


def test_a_path_that_the_locale_lacks_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "ä").mkdir()
    done = subprocess.run(
        [sys.executable, str(ROOT / "search" / "tune.py"), "--pipeline", "mnist_supervised"],
        **{"cwd": tmp_path / "ä", "capture_output": True, "text": True, "timeout": 60},
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: a path has characters that this locale lacks; export")
    assert not any((tmp_path / "ä").iterdir())


def test_a_folder_that_is_gone_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(["--list"])
    assert capsys.readouterr().err.startswith("error: the current folder is gone")

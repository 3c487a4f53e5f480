"""The kinds of arguments, one by one; what the whole command says of wrong ones: bad input."""

from __future__ import annotations

import subprocess
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from analysis import report
from search.cli import arguments
from search.errors import UserError
from search.spaces.pipeline import pipeline_names
from search.tune import parser
from trainers.data import DataError

Unprivileged = Callable[[], AbstractContextManager[None]]
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("1.5h", 5400),
        (" 5m ", 300),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert arguments.duration(text) == seconds


@pytest.mark.parametrize("text", ["soon", "", "0", "0s", "-5", "5 m", "m", "1h30m", "1e3", "nan"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a duration; say 90s, 30m, 2h or 1d"):
        arguments.duration(text)


def test_whole_numbers() -> None:
    assert arguments.positive("12") == 12
    assert arguments.whole("0") == 0
    for wrong in ("0", "-1", "x", "1.5", ""):
        with pytest.raises(ArgumentTypeError):
            arguments.positive(wrong)
    for wrong in ("-1", "x", "1.5", str(2**31)):
        with pytest.raises(ArgumentTypeError):
            arguments.whole(wrong)


def test_shares_of_a_gpu() -> None:
    assert [arguments.fraction(text) for text in ("0", "0.25", "1")] == [0, 0.25, 1]
    for wrong in ("-0.5", "1.5", "x", "nan", "inf", "1e9"):
        with pytest.raises(ArgumentTypeError):
            arguments.fraction(wrong)


@pytest.mark.parametrize("text", ["a", "cifar_contrastive-20250101", "A.b-c_d", "0", "x" * 100])
def test_names(text: str) -> None:
    assert arguments.name(text) == text


@pytest.mark.parametrize(
    "text", ["", "a/b", "/a", "..", ".hidden", "a b", "a\n", "ä", "-x", "a\\b", "x" * 101]
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a valid name"):
        arguments.name(text)


def test_words_and_pipelines_name_the_nearest() -> None:
    assert arguments.one_of("tpe", "random")("tpe") == "tpe"
    with pytest.raises(ArgumentTypeError, match="did you mean random"):
        arguments.one_of("tpe", "random")("randm")
    assert arguments.pipeline("mnist_supcon") == "mnist_supcon"
    with pytest.raises(ArgumentTypeError, match="did you mean mnist_supervised"):
        arguments.pipeline("mnist_supervise")


def test_a_pipeline_or_all_of_them() -> None:
    assert arguments.pipeline_or_all("all") == "all"
    assert [arguments.pipeline_or_all(name) for name in pipeline_names()] == pipeline_names()
    with pytest.raises(ArgumentTypeError, match="no pipeline 'mnist_supcn'; did you mean mnist_su"):
        arguments.pipeline_or_all("mnist_supcn")
    with pytest.raises(ArgumentTypeError, match="did you mean all"):
        arguments.pipeline_or_all("al")
    with pytest.raises(ArgumentTypeError, match=r"there are: .*, all$"):
        arguments.pipeline_or_all("zzzz")


def test_a_file_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there.json").write_text("old")
    monkeypatch.chdir(tmp_path)
    for text in ("new.json", "./new.json", str(tmp_path / "new.json"), "there.json"):
        assert arguments.new_file(text) == text
    assert (tmp_path / "there.json").read_text() == "old"
    assert not (tmp_path / "new.json").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("missing/new.json", "there is no folder missing to write into"),
        ("there.json/new.json", "there is no folder there.json to write into"),
        ("folder", "folder is a folder; give a file's name"),
        (".", ". is a folder"),
        ("", " is a folder"),
    ],
)
def test_a_file_that_cannot_be_written(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there.json").write_text("old")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentTypeError) as caught:
        arguments.new_file(text)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("status", [0, 1])
def test_the_status_of_a_command_is_passed_on(
    status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    given = Namespace(debug=False)
    assert arguments.run(given, lambda options: status if options is given else 77) == status
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UserError("no such study\nthere are: a"), 2, "error: no such study\nthere are: a\n"),
        (UserError("nothing to do", status=1), 1, "error: nothing to do\n"),
        (DataError("damaged file"), 1, "error: damaged file\n"),
        (
            ValueError("bad\nsecond line"),
            1,
            "error: ValueError: bad\nrun again with --debug for the traceback\n",
        ),
        (
            RuntimeError(),
            1,
            "error: RuntimeError: no message\nrun again with --debug for the traceback\n",
        ),
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


def test_the_options_of_the_design_are_all_there() -> None:
    line = (
        "--pipeline cifar_contrastive --trials 5 --epochs 2 --train-size 100 --data mini "
        "--sampler gp --scheduler none --seed 3 --time-budget 30m --concurrency 2 "
        "--cpus-per-trial 1 --gpus-per-trial 0 --device cpu --address auto --study s --resume "
        "--tracking-uri http://h:5000 --dry-run --quiet --set width=32 --set lr=1e-3"
    )
    options = parser().parse_args(line.split())
    assert options.set == ["width=32", "lr=1e-3"]
    assert (options.time_budget, options.sampler, options.device) == (1800, "gp", "cpu")
    assert parser().parse_args(["--replay", "abc"]).replay == "abc"
    assert parser().parse_args(["--data-dir", "d"]).data_dir == "d"


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
        done = subprocess.run(
            [sys.executable, "-c", code, given], cwd=ROOT, capture_output=True, text=True
        )
        assert done.stderr.splitlines()[-1] == f"imported [] status {status}"


def test_help_speaks_of_temperature_and_shows_the_commands() -> None:
    text = parser().format_help()
    assert "Autoencoders have none" in " ".join(text.split())
    assert "python search/tune.py --pipeline cifar_contrastive --trials 50" in text


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


def test_a_new_file_is_a_regular_one(tmp_path: Path) -> None:
    (tmp_path / "there.json").touch()
    assert arguments.new_file(str(tmp_path / "there.json")) == str(tmp_path / "there.json")
    too_long = str(tmp_path / ("x" * 300))
    for text, reason in (("/dev/full", "not a regular file"), (too_long, "long")):
        with pytest.raises(ArgumentTypeError, match=reason):
            arguments.new_file(text)


def test_a_new_file_behind_a_link_leaves_the_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "there.json")
    assert arguments.new_file(str(tmp_path / "link")) == str(tmp_path / "there.json")


def test_a_new_folder_can_be_made_and_is_not_made_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("new", "new/er/", ".", str(tmp_path)):
        assert arguments.new_folder(text) == text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [arguments.new_file, arguments.new_folder])
def test_a_place_that_takes_no_files_is_refused_before_the_work(
    kind: Callable[[str], str], tmp_path: Path, unprivileged: Unprivileged
) -> None:
    (tmp_path / "file").touch()
    reasons = r"no folder|not a (folder|regular)|cannot write|too long"
    for text in ("/dev/full", "/proc/x", "x" * 300, str(tmp_path / "file" / "x")):
        with pytest.raises(ArgumentTypeError, match=reasons):
            kind(text)
    tmp_path.chmod(0o555)
    words = r"cannot write into .*: Permission"
    with unprivileged(), pytest.raises(ArgumentTypeError, match=words):
        kind(str(tmp_path / "new"))


def test_a_report_tries_its_folder_first(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        report.main(["--out", "/dev/full"])
    assert capsys.readouterr().err.startswith(
        "error: --out: /dev/full is not a folder; name another"
    )


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

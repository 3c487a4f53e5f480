"""A rerun that cannot be: a right exit status, at most three lines, nothing left behind."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from search import rerun
from search.spaces.pipeline import load_pipeline, pipeline_names
from tests.refusals import attempt, check, contents
from tests.search.finals.conftest import add_study
from tests.stores import prepare

NAME = "mnist_contrastive"
ONE = ("--pipeline", NAME, "--data", "mini")
BEST = {"pipeline": NAME, "params": dict(load_pipeline(NAME).defaults), "epochs": 1}
# The lock of the one rerun that may be at work below a folder.
LOCK = "mlruns/finals/driver.lock"

Attempt = Callable[..., str]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(empty_folder: None) -> None:
    """Before everything else that a test asks for."""


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Attempt:
    """(status, *arguments) -> what the command says on stderr when it refuses.

    The lock lies there afterwards; nothing at all where there is no store (`leaves=()`).
    """
    return partial(attempt, rerun.main, capfd, leaves=(LOCK, str(Path(LOCK).parent)))


@pytest.fixture
def studies() -> None:
    """Two studies of the pipeline, on mini data."""
    add_study(Path.cwd(), NAME, {"width": 4}, study="first")
    add_study(Path.cwd(), NAME, {"width": 8}, study="second")


# Stores in which there is nothing to train again ------------------------------------------------


def test_no_store_at_all(refused: Attempt) -> None:
    for pipeline in (NAME, "all"):
        err = refused(2, "--pipeline", pipeline, leaves=())
        assert "there is no MLflow store at sqlite:///" in err


def test_a_store_without_studies(refused: Attempt) -> None:
    prepare(Path.cwd())
    for data in ([], ["--data", "mini"]):
        err = refused(1, "--pipeline", NAME, *data)
        assert "mnist_contrastive has no finished study" in err
        assert "python search/tune.py --pipeline mnist_contrastive" in err


def test_all_of_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Each pipeline is named on stdout before the error."""
    prepare(Path.cwd())
    before = set(contents(Path.cwd()))
    status = rerun.main(["--pipeline", "all"])
    out, err = capfd.readouterr()
    check(status, 1, err)
    assert "no pipeline has a finished study" in err
    lines = out.splitlines()
    assert len(lines) == len(pipeline_names())
    assert all(line.endswith("has no finished study: skipped") for line in lines)
    assert set(contents(Path.cwd())) - before <= {LOCK, "mlruns/finals"}


@pytest.mark.usefixtures("studies")
def test_studies_of_another_pipeline_or_on_mini_only(refused: Attempt, tmp_path: Path) -> None:
    assert "mnist_supcon has no finished" in refused(1, "--pipeline", "mnist_supcon")
    err = refused(1, "--pipeline", NAME, "--data-dir", str(tmp_path))
    assert "stand-in data only" in err and "--data-dir" in err


# What is asked for is not there -----------------------------------------------------------------


@pytest.mark.usefixtures("studies")
def test_a_trial_or_a_study_that_is_unknown(refused: Attempt) -> None:
    for option, value, known in (("--trial", "abc", "trial_id"), ("--study", "x", "first, second")):
        err = refused(2, *ONE, option, value)
        assert f"{option} {value}" in err and known in err


PARAMS: dict[str, object] = dict(load_pipeline(NAME).defaults)
OTHERS = {name: value for name, value in PARAMS.items() if name != "lr"}
NONE = "best.json: not a configuration\nit is JSON with"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        *((text, NONE) for text in ("", "{]", "[1, 2]", '"text"', "3", "null", "[" * 100_000)),
        (b"\xff\xfe{", NONE),
        ({"pipeline": NAME}, NONE),
        ({"params": PARAMS}, NONE),
        ({**BEST, "pipeline": "mnist_supcon"}, "is for mnist_supcon, not for mnist_contrastive"),
        ({**BEST, "params": {**PARAMS, "widht": 4}}, "no parameter 'widht'; did you mean width?"),
        ({**BEST, "params": OTHERS}, "lr is missing"),
        ({**BEST, "params": {**PARAMS, "lr": "fast"}}, "lr is 'fast'\nallowed: "),
        ({**BEST, "params": 5}, "best.json: params is not a table"),
        *(
            ({**BEST, "epochs": epochs}, f"epochs is {epochs!r}, at least 1 is needed")
            for epochs in (0, -3, 2.5, True, "4")
        ),
    ],
    ids=lambda given: str(given)[:30],
)
def test_a_configuration_that_cannot_be_used(
    refused: Attempt, content: bytes | str | Mapping[str, object] | None, said: str
) -> None:
    prepare(Path.cwd())
    if isinstance(content, Mapping):
        content = json.dumps(content)
    if content is not None:
        Path("best.json").write_bytes(content.encode() if isinstance(content, str) else content)
    assert said in refused(2, *ONE, "--config", "best.json")


@pytest.mark.usefixtures("studies")
def test_another_rerun_at_work(refused: Attempt) -> None:
    Path(LOCK).parent.mkdir()
    with Path(LOCK).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert "another rerun or sweep is running" in refused(2, *ONE)

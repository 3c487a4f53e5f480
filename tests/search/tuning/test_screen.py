"""What the end of a search tells to do next, done."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from search.tune import parser
from search.tuning import screen
from search.tuning.plan import make_plan

START = "--pipeline mnist_supervised --data mini --study mine --trials 9"
CASES = {
    "defaults": "",
    "epochs": "--epochs 3",
    "train-size": "--train-size 512",
    "set": "--set width=16 --set lr=1e-3:5e-3 --set batch_size=128,256 --set block=pooled",
    "sampler": "--sampler random --scheduler none",
    "seed": "--seed 5",
}


@pytest.mark.parametrize("given", CASES)
def test_the_command_to_go_on_means_the_same_search(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copied from the screen into the shell, it must not be refused as another search."""
    monkeypatch.chdir(tmp_path)
    plan = make_plan(parser().parse_args([*START.split(), *CASES[given].split()]))
    command = shlex.split(screen._resume_command(plan, "mine"))
    assert command[:2] == ["python", "search/tune.py"]
    again = make_plan(parser().parse_args(command[2:]))
    assert again.identity == plan.identity
    assert (again.study, again.resume, again.trials) == ("mine", True, 9)
    assert (again.sampler, again.scheduler) == (plan.sampler, plan.scheduler)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], []),
        (["--tracking-uri", "sqlite:///other.db"], ["--tracking-uri", "sqlite:///{here}/other.db"]),
        (["--tracking-uri=sqlite:///mlruns/mlflow.db"], []),  # where it is looked for anyway
    ],
)
def test_the_command_that_trains_again_finds_the_store(
    given: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    argv = ["--pipeline", "mnist_supervised", "--data", "mini", *given]
    options = parser().parse_args(argv)
    options.arguments = argv
    command = shlex.split(screen._replay_command(make_plan(options), "abc123"))
    usual = ["python", "search/tune.py", "--replay", "abc123"]
    assert command == usual + [word.format(here=tmp_path) for word in expected]

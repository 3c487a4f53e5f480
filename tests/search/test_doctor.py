"""What the doctor finds in a real study that was broken in every way, and what it mends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from search import study as studies
from search.checkpoints import TRIALS
from search.doctor import main
from search.tracking import RunView, Store

ARGUMENTS = (
    "--pipeline mnist_supervised --data mini --trials 3 --epochs 1 --train-size 200 --study s "
    "--set width=16 --set depth=3 --set batch_size=128"
)


@dataclass
class Healthy:
    """A finished study of three trials."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "mlruns"

    @property
    def store(self) -> Store:
        return Store(f"sqlite:///{self.home / 'mlflow.db'}")

    @property
    def study(self) -> optuna.Study:
        return optuna.load_study(storage=studies.open_storage(self.home), study_name="s")

    @property
    def experiment(self) -> str:
        found = self.store.find_experiment("mnist_supervised-mini")
        assert found
        return found

    def runs(self, kind: str = "trial") -> list[RunView]:
        runs = self.store.runs(self.experiment, kind=kind)
        return sorted(runs, key=lambda run: run.tags.get("trial_number", ""))

    def trial_folder(self, name: str) -> Path:
        folder = self.home / "studies" / "s" / TRIALS / name
        folder.mkdir(parents=True)
        return folder


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory,
    prepare: Callable[[Path], Path],
    tune: Callable[..., Any],
) -> Healthy:
    folder = prepare(tmp_path_factory.mktemp("healthy"))
    assert tune(folder, *ARGUMENTS.split()).status == 0
    return Healthy(folder)


@pytest.fixture
def healthy(made: Healthy, monkeypatch: pytest.MonkeyPatch) -> Healthy:
    """Every test leaves it as it was: what it breaks the doctor mends."""
    monkeypatch.chdir(made.folder)
    assert main(["--quiet"]) == 0
    return made


def child_is_running(healthy: Healthy) -> str:
    run = healthy.runs()[1]
    healthy.store.reopen_run(run.run_id)
    healthy.store.log(run.run_id, tags={"trial_state": "RUNNING"})
    return "trial 1 is COMPLETE, MLflow says RUNNING"


def child_is_missing(healthy: Healthy) -> str:
    healthy.store.delete_run(healthy.runs()[2].run_id)
    return "trial 2 is COMPLETE, MLflow says nothing"


def child_has_another_state(healthy: Healthy) -> str:
    healthy.store.log(healthy.runs()[0].run_id, tags={"trial_state": "PRUNED"})
    return "trial 0 is COMPLETE, MLflow says PRUNED"


def child_has_a_double(healthy: Healthy) -> str:
    run = healthy.runs()[0]
    tags = {tag: run.tags[tag] for tag in ("trial_id", "trial_number", "trial_state", "kind")}
    parent = healthy.runs("study")[0].run_id
    # Older than the one that is there, so this is the one that goes.
    double = healthy.store.start_run(
        healthy.experiment, name="again", tags=tags, parent=parent, began=1
    )
    return f"trial 0 has two runs, this is {double[:8]}"


def child_is_nobodys(healthy: Healthy) -> str:
    parent = healthy.runs("study")[0].run_id
    tags = {"kind": "trial", "trial_id": "f" * 12, "trial_number": "9"}
    run = healthy.store.start_run(healthy.experiment, name="x", tags=tags, parent=parent)
    return f"run {run[:8]} is of a trial that Optuna does not know"


def parent_is_running(healthy: Healthy) -> str:
    healthy.store.reopen_run(healthy.runs("study")[0].run_id)
    return "the study's run is RUNNING, its driver died"


def final_is_running(healthy: Healthy) -> str:
    run = healthy.store.start_run(healthy.experiment, name="x", tags={"kind": "final"})
    return f"final run {run[:8]} is RUNNING, its driver died"


def folder_is_left(healthy: Healthy) -> str:
    healthy.trial_folder("abc")
    return "abc is left of a trial that is over"


def ray_is_left(healthy: Healthy) -> str:
    (healthy.home / "ray" / "s").mkdir(parents=True)
    return "Ray's own state of a search that is over"


def artifacts_are_left(healthy: Healthy) -> str:
    folder = healthy.store.artifact_folder(healthy.experiment)
    assert folder
    (folder / ("ab" * 16)).mkdir()
    return "artifacts of no run: abababab"


@pytest.mark.parametrize(
    "broken",
    [
        child_is_running,
        child_is_missing,
        child_has_another_state,
        child_has_a_double,
        child_is_nobodys,
        parent_is_running,
        final_is_running,
        folder_is_left,
        ray_is_left,
        artifacts_are_left,
    ],
)
def test_what_is_broken_is_found_told_and_mended(
    broken: Callable[[Healthy], str], healthy: Healthy, capsys: pytest.CaptureFixture[str]
) -> None:
    told = broken(healthy)
    assert main([]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert all(word in out for word in told.split()), out
    assert "doctor.py --fix" in out
    assert main([]) == 1, "without --fix nothing is changed"
    assert main(["--fix"]) == 0
    capsys.readouterr()
    assert main([]) == 0
    assert capsys.readouterr().out == "all is well\n"
    states = {run.tags["trial_number"]: run.tags["trial_state"] for run in healthy.runs()}
    assert all(states[number] == "COMPLETE" for number in "012")
    assert healthy.study.trials[0].state is TrialState.COMPLETE


def test_a_dead_drivers_trial_goes_back_into_the_queue(
    healthy: Healthy,
) -> None:
    trial = healthy.study.ask()
    config = {**healthy.study.trials[0].user_attrs[studies.CONFIG], "trial_id": "e" * 12}
    trial.set_user_attr(studies.CONFIG, {**config, "number": trial.number})
    parent = healthy.runs("study")[0].run_id
    tags = {"kind": "trial", "trial_id": "e" * 12, "trial_number": str(trial.number)}
    healthy.store.start_run(healthy.experiment, name="x", tags=tags, parent=parent)
    kept = healthy.trial_folder("e" * 12)
    assert main([]) == 1
    assert main(["--fix"]) == 0
    assert healthy.study.trials[-1].state is TrialState.WAITING
    assert healthy.runs()[-1].status == "KILLED"
    assert kept.is_dir(), "its checkpoint is what it goes on from"
    # Leave it as it was, but for a trial that failed.
    healthy.study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    assert main(["--fix"]) == 0
    assert healthy.runs()[-1].status == "FAILED"
    assert not kept.exists()


def test_what_is_at_work_is_left_alone(
    healthy: Healthy, capsys: pytest.CaptureFixture[str]
) -> None:
    parent_is_running(healthy)
    with studies.lock(healthy.home / "studies" / "s", "s"):
        assert main([]) == 0
    assert "left alone: s is at work" in capsys.readouterr().out
    assert main(["--fix"]) == 0


def test_a_study_that_optuna_does_not_know_is_told_and_left(
    healthy: Healthy, capsys: pytest.CaptureFixture[str]
) -> None:
    run = healthy.store.start_run(
        healthy.experiment, name="x", tags={"kind": "study", "study": "lost"}
    )
    healthy.store.end_run(run, "FINISHED")
    assert main(["--fix"]) == 1
    told = capsys.readouterr().out.split()  # a narrow screen breaks lines anywhere
    assert {"lost", "Optuna", "does", "not", "know", "this", "study"} <= {*told}
    healthy.store.delete_run(run)
    assert main([]) == 0


def test_without_a_store_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    error = capsys.readouterr().err
    assert "there is no MLflow store" in error and len(error.splitlines()) == 2

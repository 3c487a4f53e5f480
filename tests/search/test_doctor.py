"""What the doctor finds in a real study that was broken in every way, and what it fixes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from search.doctor import main
from search.files import locks
from search.study import study as studies
from search.study.storage import open_storage
from search.tracking.store import RunView, Store
from search.trials.checkpoint import TRIALS
from tests import commands
from tests.commands import tune
from tests.damage import flip
from tests.stores import prepare

pytestmark = pytest.mark.slow

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
        return optuna.load_study(storage=open_storage(self.home), study_name="s")

    @property
    def experiment(self) -> str:
        found = self.store.find_experiment("mnist_supervised-mini")
        assert found
        return found

    def runs(self, kind: str = "trial", study: str = "s") -> list[RunView]:
        runs = self.store.runs(self.experiment, kind=kind)
        runs = [run for run in runs if run.tags.get("study", "s") == study]
        return sorted(runs, key=lambda run: run.tags.get("trial_number", ""))

    def trial_folder(self, name: str) -> Path:
        folder = self.home / "studies" / "s" / TRIALS / name
        folder.mkdir(parents=True)
        return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Healthy:
    folder = prepare(tmp_path_factory.mktemp("healthy"))
    assert tune(folder, *ARGUMENTS.split()).status == 0
    return Healthy(folder)


@pytest.fixture
def healthy(made: Healthy, monkeypatch: pytest.MonkeyPatch) -> Healthy:
    """Every test leaves it as it was: what it breaks the doctor fixes."""
    monkeypatch.chdir(made.folder)
    assert main(["--quiet"]) == 0
    return made


def child_is_running(healthy: Healthy) -> str:
    run = healthy.runs()[1]
    healthy.store.reopen_run(run.run_id)
    healthy.store.log(run.run_id, tags={"trial_state": "RUNNING"})
    return "trial 1 is COMPLETE, MLflow says RUNNING"


def child_is_killed(healthy: Healthy) -> str:
    healthy.store.end_run(healthy.runs()[1].run_id, "KILLED")
    return "trial 1 is COMPLETE, MLflow says KILLED"


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
    return f"run {run[:8]} belongs to a trial that Optuna does not know"


def parent_is_running(healthy: Healthy) -> str:
    healthy.store.reopen_run(healthy.runs("study")[0].run_id)
    return "the study's run is RUNNING, its driver died"


def final_is_running(healthy: Healthy) -> str:
    run = healthy.store.start_run(healthy.experiment, name="x", tags={"kind": "final"})
    return f"final run {run[:8]} is RUNNING, its driver died"


def folder_is_left(healthy: Healthy) -> str:
    healthy.trial_folder("abc")
    return "abc is left from a trial that is over"


def ray_is_left(healthy: Healthy) -> str:
    (healthy.home / "ray" / "s").mkdir(parents=True)
    return "Ray's own state of a search that is over"


def artifacts_are_left(healthy: Healthy) -> str:
    folder = healthy.store.artifact_folder(healthy.experiment)
    assert folder
    (folder / ("ab" * 16)).mkdir(exist_ok=True)
    os.utime(folder / ("ab" * 16), (0, 0))
    return "artifacts of no run: abababab"


@pytest.mark.parametrize(
    "broken",
    [
        child_is_running,
        child_is_killed,
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
def test_what_is_broken_is_found_told_and_fixed(
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


def test_a_dead_drivers_trial_goes_back_into_the_queue(healthy: Healthy) -> None:
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
    with locks.lock_study(healthy.home, "s"):
        assert main([]) == 0
    assert "skipped: another process is running s" in capsys.readouterr().out
    assert main(["--fix"]) == 0


def test_leftovers_go_to_the_trash_also_when_a_record_is_fixed(healthy: Healthy) -> None:
    """Fixing the record deletes what a resumed search would delete."""
    child_is_running(healthy)
    (healthy.trial_folder("wanted") / "checkpoint.pt").write_text("of an older database, perhaps")
    assert main(["--fix"]) == 0
    assert list((healthy.home / "trash").glob("*/studies/s/trials/wanted/checkpoint.pt"))


def test_weights_that_are_not_those_that_were_trained_are_told(
    healthy: Healthy, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = healthy.store.artifact_folder(healthy.experiment)
    assert folder
    file = folder / healthy.runs()[1].run_id / "artifacts" / "weights.safetensors"
    whole = file.read_bytes()
    for damage in (flip, Path.unlink):
        damage(file)
        assert main(["--fix"]) == 1, "nothing has them any more"
        out = " ".join(capsys.readouterr().out.split())
        assert "weights.safetensors of trial 1 is missing or damaged" in out
        file.write_bytes(whole)


def test_two_repairs_beside_a_search_lose_nothing(healthy: Healthy) -> None:
    """One study is searched, another is broken, and artifacts of no run lie beside theirs."""
    kept = {file: file.read_bytes() for file in healthy.home.glob("artifacts/*/*/artifacts/**/*.*")}
    assert len([file for file in kept if file.name == "weights.safetensors"]) == 3

    def curves() -> dict[str, tuple[str, dict[int, float]]]:
        history = healthy.store.history
        return {r.run_id: (r.status, history(r.run_id, "valid/accuracy")) for r in healthy.runs()}

    before = curves()
    arguments = ARGUMENTS.replace("--study s", "--study t --scheduler none")
    search = commands.start("search/tune.py", *arguments.split(), folder=healthy.folder)
    repairs: list[commands.Ended] = []
    while search.poll() is None or not repairs:
        child_is_running(healthy)
        artifacts_are_left(healthy)
        both = [
            commands.start("search/doctor.py", "--fix", folder=healthy.folder) for _ in range(2)
        ]
        for repair in both:
            out, err = repair.communicate()
            repairs.append(commands.Ended(repair.wait(), out, err))
    assert search.wait() == 0, search.communicate()
    assert [(one.status, one.err) for one in repairs] == [(0, "")] * len(repairs)
    assert any("another process is running t\n" in one.out for one in repairs)
    assert main(["--quiet", "--fix"]) == 0
    assert main(["--quiet"]) == 0
    assert all(file.read_bytes() == content for file, content in kept.items())
    assert curves() == before
    searched = healthy.runs(study="t")
    assert len(searched) == 3
    for run in searched:
        assert (run.status, run.tags["trial_state"]) == ("FINISHED", "COMPLETE")
        assert healthy.store.history(run.run_id, "train/loss").keys() == {1}
        assert list(healthy.home.glob(f"artifacts/*/{run.run_id}/artifacts/weights.safetensors"))
    assert list(healthy.home.glob(f"**/{'ab' * 16}")), "moved, not deleted"


def test_a_copied_study_goes_on_in_its_new_place(
    healthy: Healthy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file: file.stat().st_mtime_ns for file in healthy.home.glob("artifacts/**/*")}
    copied = Healthy(shutil.copytree(healthy.folder, tmp_path / "copy"))
    resume = [*ARGUMENTS.replace("--trials 3", "--trials 5").split(), "--resume"]
    refused = tune(copied.folder, *resume)
    assert refused.status == 1 and len(refused.err.splitlines()) == 2
    assert f"it still names {healthy.home} for its artifacts\n" in refused.err
    monkeypatch.chdir(copied.folder)
    assert main(["--fix"]) == 0
    assert tune(copied.folder, *resume).status == 0
    assert main([]) == 0
    run_id = copied.runs()[-1].run_id
    assert list(copied.home.glob(f"artifacts/*/{run_id}/artifacts/weights.safetensors"))
    now = {file: file.stat().st_mtime_ns for file in healthy.home.glob("artifacts/**/*")}
    assert now == before


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

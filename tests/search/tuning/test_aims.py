"""Searches with limits and with two goals, killed and resumed: what every store says of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.spaces.goals import FEASIBLE, FRONT, Limit
from search.spaces.pipeline import OBJECTIVE
from search.study import study as studies
from search.study.storage import load_study, open_storage
from search.study.study import Study
from search.tracking.store import RunView, Store
from tests import commands
from tests.commands import tune
from tests.stores import prepare
from tests.studies import trials_of

pytestmark = pytest.mark.slow

BASE = shlex.split("--pipeline cifar_autoencoder --data mini --train-size 256")
TINY = shlex.split("--set depth=3 --set batch_size=128 --set block=strided --set width=16:32")
EXPERIMENT = "cifar_autoencoder-mini"


@pytest.fixture(autouse=True)
def _a_store(tmp_path: Path) -> None:
    """A ready one, in the folder of each search."""
    prepare(tmp_path)


def left(folder: Path, name: str) -> tuple[Study, RunView, dict[int, RunView]]:
    """The study, its run, and its trials' runs by number."""
    study = load_study(open_storage(folder / "mlruns"), name)
    store = Store(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    experiment = store.find_experiment(EXPERIMENT)
    assert experiment is not None
    [parent] = store.runs(experiment, kind="study", study=name)
    runs = store.runs(experiment, kind="trial", study=name)
    return study, parent, {int(run.tags["trial_number"]): run for run in runs}


def killed(folder: Path, name: str, *arguments: str) -> None:
    """A search of that name, killed once a trial has ended and another is under way."""

    def under_way() -> bool:
        trials = [trial for trial in trials_of(folder, name) if studies.CONFIG in trial.user_attrs]
        return {trial.state.is_finished() for trial in trials} == {True, False}

    words = ("search/tune.py", *arguments, "--study", name)
    commands.run(*words, folder=folder, until=under_way, own_ray=True)


def doctor(folder: Path) -> str:
    return commands.run("search/doctor.py", folder=folder).out


def test_a_limited_search_goes_on_after_a_kill(tmp_path: Path) -> None:
    """The defaults are beyond the limit on weights, and some trials end beyond that on errors."""
    limits = ("--limit", "model/parameters<=300000", "--limit", "valid/mae<=0.21")
    search = (*BASE, *TINY, *limits, "--trials", "6", "--epochs", "2", "--concurrency", "2")
    killed(tmp_path, "limited", *search)
    other = tune(tmp_path, *BASE, *TINY, "--epochs", "2", "--study", "limited", "--resume")
    assert other.status == 2 and "limits: [" in other.err, other.err
    ended = tune(tmp_path, *search, "--study", "limited", "--resume")
    study, parent, runs = left(tmp_path, "limited")
    assert len(studies.trained(study)) == len(runs) == 6, "a refused proposal is no trial"
    refused = studies.refused(study)
    assert refused and refused[0].number == 0 and refused[0].state is TrialState.PRUNED
    assert not refused[0].intermediate_values and 0 not in runs
    assert f"{len(refused)} more proposals were beyond a limit" in ended.out
    assert parent.metrics["trials/refused"] == len(refused)
    assert parent.tags["limits"] == "model/parameters<=300000 valid/mae<=0.21"
    complete = [t for t in studies.trained(study) if t.state is TrialState.COMPLETE]
    assert complete
    limit = Limit.parse("valid/mae<=0.21")
    for trial in complete:
        run = runs[trial.number]
        over = run.metrics["valid/mae"] - 0.21
        assert run.metrics["over/valid/mae"] == pytest.approx(over)
        assert run.metrics["over/model/parameters"] <= 0
        assert run.tags[FEASIBLE] == str(over <= 0).lower()
        assert trial.constraints[str(limit)] == limit.violation(run.metrics["valid/mae"])
    feasible = [t for t in complete if runs[t.number].tags[FEASIBLE] == "true"]
    assert ended.status == (0 if feasible else 1), ended.err
    if feasible:
        best = max(feasible, key=lambda trial: trial.value or 0.0)
        assert parent.tags["best_trial"] == str(best.number)
        assert parent.metrics[OBJECTIVE] == best.value
    assert doctor(tmp_path) == "all is well\n"


def test_if_no_trial_keeps_a_limit_there_is_no_best(tmp_path: Path) -> None:
    limit = Limit.parse("valid/mae<=0.001")
    search = f"--limit {limit} --trials 2 --epochs 1 --study n".split()
    ended = tune(tmp_path, *BASE, *TINY, *search)
    assert ended.status == 1
    study, parent, _ = left(tmp_path, "n")
    assert parent.status == "FINISHED", "the search did what it could"
    assert "best_trial" not in parent.tags and OBJECTIVE not in parent.metrics
    nearest = min(study.trials, key=lambda trial: trial.constraints[str(limit)])
    reason = limit.describe(nearest.constraints[str(limit)])
    told = f"no trial keeps valid/mae<=0.001; the nearest is trial {nearest.number}: {reason}"
    assert told in ended.out
    again = commands.run(
        "search/rerun.py", "--pipeline", "cifar_autoencoder", "--study", "n", folder=tmp_path
    )
    assert again.status == 1 and "--study n: no trial keeps valid/mae<=0.001" in again.err


def test_a_search_with_two_goals_goes_on_after_a_kill_and_shows_its_front(tmp_path: Path) -> None:
    goals = ("--objective", "valid/accuracy", "--objective", "valid/mae:min")
    search = (*BASE, *TINY, *goals, "--trials", "5", "--epochs", "2", "--concurrency", "2")
    killed(tmp_path, "two", *search)
    fixed = commands.run("search/doctor.py", "--fix", folder=tmp_path)
    assert fixed.status == 0, fixed.out
    ended = tune(tmp_path, *search, "--study", "two", "--resume")
    assert ended.status == 0, ended.err
    study, parent, runs = left(tmp_path, "two")
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert studies.counts(study) == {"COMPLETE": 5} and len(runs) == 5
    assert (parent.tags["scheduler"], parent.tags["goals"]) == (
        "none",
        "valid/accuracy valid/mae:min",
    )
    for trial in study.trials:
        metrics: Mapping[str, float] = runs[trial.number].metrics
        assert trial.values == [metrics["valid/accuracy"], metrics["valid/mae"]]
    front = {trial.number for trial in study.best_trials}
    assert {number for number, run in runs.items() if run.tags.get(FRONT) == "true"} == front
    table = ended.out.partition("Front: ")[2]
    for number in front:
        assert runs[number].tags["trial_id"] in table
    assert doctor(tmp_path) == "all is well\n"
    refused = commands.run(
        "search/rerun.py", "--pipeline", "cifar_autoencoder", "--study", "two", folder=tmp_path
    )
    assert refused.status == 2 and "choose one by its id with --trial: " in refused.err
    name = runs[min(front)].tags["trial_id"]
    replayed = tune(tmp_path, "--replay", name)
    assert replayed.status == 0 and "the same curve" in replayed.out

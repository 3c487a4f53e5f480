"""The study's own run: what is open below it when the search ends."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from search.tracking.store import Store
from search.tune import parser
from search.tuning.plan import make_plan
from search.tuning.records import StudyRun
from tests.stores import prepare

GIVEN = "--pipeline mnist_supervised --data mini --study mine --trials 9"


def test_nothing_is_left_open_and_the_trials_of_a_study_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose end the store refused is closed; the next search brings it to the truth."""
    monkeypatch.chdir(prepare(tmp_path))
    plan = make_plan(parser().parse_args(GIVEN.split()))
    store = Store(f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    experiment = store.experiment(plan.experiment)
    run = StudyRun(plan, plan.resources, store, experiment, "mine")
    parent = store.find_run(experiment, kind="study")
    assert parent
    child = store.start_run(
        experiment,
        name="trial 000",
        parent=parent,
        tags={"kind": "trial", "trial_id": "abc", "trial_state": "RUNNING"},
    )
    store.start_run(experiment, name="other", tags={"kind": "trial", "trial_id": "not mine"})
    ended = store.start_run(experiment, name="it", parent=parent, tags={"kind": "other"})
    store.end_run(ended, "FINISHED")
    run.close(optuna.create_study(direction="maximize"), 0, page=None, seconds=1.0)
    again = StudyRun(plan, plan.resources, store, experiment, "mine")
    [(trial_id, found)] = again.trial_runs().items()
    assert (trial_id, found.run_id, found.status) == ("abc", child, "KILLED")
    assert [run.status for run in store.runs(experiment, kind="other")] == ["FINISHED"]

"""A random search follows a study, for as long as it took, and is found as its twin."""

from __future__ import annotations

from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.study import study as studies
from search.study.storage import load_study, open_storage, study_names
from search.tracking.provenance import TWIN_OF
from search.tracking.store import Store
from tests.commands import tune

WORDS = ["--pipeline", "mnist_contrastive", "--data", "mini", "--train-size", "256"]
WORDS += ["--epochs", "3", "--set", "width=16", "--set", "depth=3", "--set", "batch_size=256"]
BASELINE = ["--study", "s", "--trials", "4", "--baseline", "random"]


@pytest.mark.slow
def test_a_twin_draws_at_random_stops_nothing_and_ends_in_time(tmp_path: Path) -> None:
    ended = tune(tmp_path, *WORDS, *BASELINE)
    assert ended.status == 0, ended.err
    assert "s: 4 of 4 trials" in ended.out and "as long as s took" in ended.out

    storage = open_storage(tmp_path / "mlruns")
    assert study_names(storage) == ["s", "s-random"]
    assert study_names(storage, "mnist_contrastive", "mini") == ["s"], "what --resume goes on with"
    main, twin = (load_study(storage, name) for name in ("s", "s-random"))
    assert twin.user_attrs[studies.IDENTITY]["twin_of"] == "s"
    states = [trial.state for trial in studies.trained(twin)]
    assert set(states) <= {TrialState.COMPLETE}
    first = main.trials[0].params
    assert all(trial.params != first for trial in twin.trials), "the defaults are no random draw"

    store = Store(f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    experiment = store.find_experiment("mnist_contrastive-mini")
    assert experiment is not None
    [mine] = store.runs(experiment, kind="study", study="s")
    [its] = store.runs(experiment, kind="study", twin_of="s")
    assert (its.tags["sampler"], its.tags["scheduler"]) == ("random", "none")
    assert TWIN_OF not in mine.tags
    drawn = store.runs(experiment, kind="trial", study="s-random")
    assert drawn and all(run.tags[TWIN_OF] == "s" for run in drawn)
    took = mine.metrics["time/seconds"]
    assert its.metrics["time/seconds"] > 0.5 * took
    storage.engine.dispose()

    again = tune(tmp_path, *WORDS, *BASELINE, "--resume")
    assert again.status == 0, again.err
    assert len(store.runs(experiment, kind="trial", study="s-random")) == len(drawn), "time is up"
    [once_more] = store.runs(experiment, kind="study", study="s")
    assert once_more.metrics["time/seconds"] == took, "nothing was searched"

    other = tune(tmp_path, *WORDS, "--study", "s-random", "--trials", "9", "--resume")
    assert other.status == 2 and "twin_of" in other.err, "nobody goes on with it by mistake"

"""Which configurations are trained again: the best trials of a real store, or one from a file."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from search.errors import UserError
from search.finals.candidates import (
    Candidate,
    best_of_random_search,
    change,
    choose,
    complete_trials,
    read_config,
)
from search.spaces.pipeline import METRIC, Scalar, load_pipeline
from search.tracking.provenance import TWIN_OF
from search.tracking.store import Store
from tests.search.ready import few
from tests.stores import prepare
from trainers.data import TrainingData
from trainers.protocol import VERSION

NAME = "mnist_supervised"
PIPELINE = load_pipeline(NAME)


def params(**changes: Scalar) -> dict[str, Scalar]:
    return {**PIPELINE.defaults, **changes}


@dataclass
class Trials:
    """The trials of past searches, and what would be chosen of them."""

    store: Store
    data: TrainingData
    folder: Path
    count: int = 0
    ids: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        value: float,
        *,
        study: str = "s",
        epochs: int = 3,
        train_size: int = 120,
        fingerprint: str | None = None,
        protocol: str | None = str(VERSION),
        kind: str = "trial",
        twin_of: str | None = None,
        state: str = "COMPLETE",
        aims: Mapping[str, str] | None = None,
        **changes: Scalar,
    ) -> str:
        """A run as the recorder leaves it; returns the trial's id."""
        self.count += 1
        trial_id = f"{self.count:012x}"
        tags = {
            "kind": kind,
            "trial_id": trial_id,
            "trial_number": str(self.count),
            "trial_state": state,
            "study": study,
            "data_fingerprint": fingerprint or self.data.fingerprint,
            **({"protocol": protocol} if protocol else {}),
            **({TWIN_OF: twin_of} if twin_of else {}),
            **(aims or {}),
        }
        run_id = self.store.start_run(self.store.experiment(NAME), name="t", tags=tags)
        self.store.log(
            run_id,
            params={**params(**changes), "train_size": train_size},
            metrics={METRIC: value},
        )
        config = {"params": params(**changes), "epochs": epochs}
        self.store.log_text(run_id, json.dumps(config), "config.json")
        self.store.end_run(run_id, "FINISHED")
        self.ids[trial_id] = run_id
        return trial_id

    def choose(self, **options: Any) -> list[Candidate]:
        given = {"config": None, "trial": None, "study": None, "top": 3}
        return choose(
            Namespace(**{**given, **options}),
            self.store,
            complete_trials(self.store, NAME),
            name=NAME,
            pipeline=PIPELINE,
            data=self.data,
        )

    def lose_artifact(self, trial_id: str) -> None:
        artifacts = self.folder / "mlruns" / "artifacts" / NAME / self.ids[trial_id] / "artifacts"
        assert (artifacts / "config.json").is_file()
        shutil.rmtree(artifacts)


@pytest.fixture
def trials(tmp_path: Path) -> Trials:
    store = Store(f"sqlite:///{prepare(tmp_path) / 'mlruns' / 'mlflow.db'}")
    return Trials(store, few("mnist"), tmp_path)


# Trials of a store ---------------------------------------------------------------------------


def test_the_best_of_all_studies_are_chosen_the_best_first(trials: Trials) -> None:
    trials.add(0.7, width=16)
    trials.add(0.9, study="other", width=32, epochs=5)
    trials.add(0.6, width=48)
    trials.add(0.8, width=16, depth=4)
    assert trials.choose(top=2) == [
        Candidate(
            params=params(width=32),
            epochs=5,
            promised=0.9,
            source="trial 2 of other",
            study="other",
        ),
        Candidate(
            params=params(width=16, depth=4),
            epochs=3,
            promised=0.8,
            source="trial 4 of s",
            study="s",
        ),
    ]
    assert [found.promised for found in trials.choose(top=9)] == [0.9, 0.8, 0.7, 0.6]


def test_parameters_are_taken_exactly_and_not_from_the_rounded_ones(trials: Trials) -> None:
    trials.add(0.5, lr=0.0012345678901234)
    [found] = trials.choose()
    assert found.params["lr"] == 0.0012345678901234
    assert {type(value) for value in found.params.values()} <= {int, float, str}


def test_what_set_changes_is_not_promised_any_more() -> None:
    """And two configurations that it makes equal are one."""
    first = Candidate(params=params(width=16), epochs=3, promised=0.9, source="trial 1 of s")
    second = Candidate(params=params(width=48), epochs=3, promised=0.8, source="trial 2 of s")
    assert change([first, second], PIPELINE, []) == [first, second]
    assert change([first, second], PIPELINE, ["width = 48"]) == [
        Candidate(
            params=params(width=48),
            epochs=3,
            promised=None,
            source="trial 1 of s, with width=48",
        )
    ]
    wide, same = change([first, second], PIPELINE, ["optimizer=sgd", "lr=1e-3"])
    assert (wide.params["width"], same.params["width"]) == (16, 48)
    for found in (wide, same):
        assert (found.params["optimizer"], found.params["lr"]) == ("sgd", 1e-3)
        assert found.source.endswith(", with optimizer=sgd, lr=0.001")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("width=16:32", "one value is needed here"),
        ("block=strided,pooled", "one value is needed here"),
        ("widht=16", "did you mean width?"),
    ],
)
def test_set_takes_one_value_of_the_space(setting: str, said: str) -> None:
    one = Candidate(params=params(), epochs=3, promised=0.9, source="trial 1 of s")
    with pytest.raises(UserError, match=said):
        change([one], PIPELINE, [setting])


def test_only_complete_trials_count(trials: Trials) -> None:
    trials.add(0.9, state="PRUNED", width=16)
    trials.add(0.8, state="FAIL", width=16)
    trials.add(0.7, kind="final", width=16)
    trials.add(0.6, width=16)
    assert [found.promised for found in trials.choose()] == [0.6]
    assert complete_trials(trials.store, "no_such_experiment") == []


def test_the_same_configuration_in_two_studies_counts_once(trials: Trials) -> None:
    """The better of its two values is what it promised. With another budget it is another."""
    trials.add(0.7, study="one", width=16)
    trials.add(0.9, study="two", width=16)
    trials.add(0.6, study="two", width=16, epochs=9)
    trials.add(0.5, study="two", width=32)
    found = trials.choose()
    assert [(c.promised, c.epochs, c.params["width"]) for c in found] == [
        (0.9, 3, 16),
        (0.6, 9, 16),
        (0.5, 3, 32),
    ]
    assert found[0].source == "trial 2 of two"


def test_trials_on_fewer_images_do_not_count(trials: Trials) -> None:
    """As a number: 90 is less than 120."""
    trials.add(0.9, train_size=90, width=16)
    trials.add(0.5, train_size=120, width=32)
    trials.add(0.4, train_size=120, width=48)
    assert [found.promised for found in trials.choose()] == [0.5, 0.4]
    assert [found.promised for found in trials.choose(trial=f"{1:012x}")] == [0.9]


def test_a_study_or_a_trial_alone(trials: Trials) -> None:
    trials.add(0.9, study="one", width=16)
    wanted = trials.add(0.5, study="two", width=32)
    trials.add(0.4, study="two", width=48)
    assert [found.promised for found in trials.choose(study="two")] == [0.5, 0.4]
    assert [found.promised for found in trials.choose(trial=wanted)] == [0.5]


def test_an_unknown_or_pruned_trial_is_told_of(trials: Trials) -> None:
    trials.add(0.9, width=16)
    pruned = trials.add(0.8, state="PRUNED", width=32)
    for wanted in ("ffffffffffff", pruned):
        with pytest.raises(UserError, match=f"^--trial {wanted}: {NAME} has no complete") as caught:
            trials.choose(trial=wanted)
        assert caught.value.status == 2


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (
            {"fingerprint": "olderdata"},
            r"on other data: olderdata then.* now\nsearch again: it is drawn by newer code",
        ),
        ({"texture_weight": 10.0}, "other parameters: texture_weight\nsearch again"),
        # Before it was recorded, it was version 1.
        ({"protocol": None}, r"searched by an earlier protocol.*\n.*--config"),
        ({"protocol": "1"}, r"searched by an earlier protocol.*\n.*--config"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_trials_that_count_no_more_are_left_out_and_alone_are_an_error(
    trials: Trials, gone: dict[str, Any], said: str
) -> None:
    trials.add(0.99, width=16, **gone)
    with pytest.raises(UserError, match=said) as caught:
        trials.choose()
    assert caught.value.status == 1 and len(str(caught.value).splitlines()) == 2
    trials.add(0.5, width=32)
    assert [found.promised for found in trials.choose()] == [0.5]


def test_trials_of_a_random_search_are_no_candidates_unless_they_are_named(trials: Trials) -> None:
    trials.add(0.7, width=16)
    best = trials.add(0.9, study="s-random", twin_of="s", width=32)
    trials.add(0.8, study="s-random", twin_of="s", width=48)
    assert [candidate.params["width"] for candidate in trials.choose()] == [16]
    assert trials.choose(study="s-random", top=1)[0].params["width"] == 32
    assert trials.choose(trial=best)[0].params["width"] == 32
    every = complete_trials(trials.store, NAME)
    found = best_of_random_search(trials.store, every, "s", PIPELINE)
    assert found is not None and (found.params["width"], found.promised) == (32, 0.9)
    assert best_of_random_search(trials.store, every, "another", PIPELINE) is None


def test_a_lost_configuration_is_an_error_where_it_is_wanted(trials: Trials) -> None:
    trials.add(0.9, width=16)
    lost = trials.add(0.8, width=32)
    trials.lose_artifact(lost)
    assert [found.promised for found in trials.choose(top=1)] == [0.9]
    with pytest.raises(UserError) as caught:
        trials.choose(top=2)
    assert f"({lost}) is gone or damaged" in str(caught.value)
    assert caught.value.status == 1


# A file --------------------------------------------------------------------------------------


def write(folder: Path, **changes: Any) -> str:
    """A `best.json` with these entries changed, or left out where None."""
    entries = {"pipeline": NAME, "params": params(), "epochs": 4, "source": "trial 2", **changes}
    kept = {name: value for name, value in entries.items() if value is not None}
    (folder / "best.json").write_text(json.dumps(kept))
    return str(folder / "best.json")


@pytest.mark.parametrize("epochs", [4, None])
def test_a_configuration_is_read_from_a_file(tmp_path: Path, epochs: int | None) -> None:
    file = write(tmp_path, epochs=epochs, params=params(lr=0.0123456789))
    expected = Candidate(
        params=params(lr=0.0123456789), epochs=epochs, promised=None, source="best.json"
    )
    assert read_config(file, NAME, PIPELINE) == expected


def test_a_file_is_chosen_whatever_the_store_holds(trials: Trials, tmp_path: Path) -> None:
    trials.add(0.9, width=16)
    [found] = trials.choose(config=write(tmp_path, params=params(width=48)))
    assert found.params["width"] == 48 and found.promised is None


def test_what_is_beyond_a_limit_is_chosen_only_by_its_id(trials: Trials) -> None:
    limits = {"limits": "valid/mae<=0.05"}
    beyond = trials.add(0.9, study="limited", aims={**limits, "feasible": "false"}, width=16)
    with pytest.raises(UserError, match="none of one goal that keeps its study's limits"):
        trials.choose()
    with pytest.raises(UserError, match="limited: no trial keeps valid/mae<=0"):
        trials.choose(study="limited")
    trials.add(0.7, study="limited", aims={**limits, "feasible": "true"}, width=32)
    assert [found.promised for found in trials.choose()] == [0.7]
    assert [found.promised for found in trials.choose(study="limited")] == [0.7]
    assert [found.promised for found in trials.choose(trial=beyond)] == [0.9]


def test_of_a_study_with_two_goals_a_trial_is_chosen_by_its_id(trials: Trials) -> None:
    goals = {"goals": "valid/accuracy valid/mae:min"}
    front = [
        trials.add(0.9, study="two", aims={**goals, "front": "true"}, width=16),
        trials.add(0.8, study="two", aims={**goals, "front": "true"}, width=32),
    ]
    trials.add(0.85, study="two", aims={**goals, "front": "false"}, width=48)
    with pytest.raises(UserError) as refusal:
        trials.choose(study="two")
    first, second = str(refusal.value).splitlines()
    assert "--study two has the goals valid/accuracy valid/mae:min" in first
    assert set(second.partition("--trial: ")[2].split(", ")) == set(front)
    trials.add(0.6, study="usual")
    assert [found.promised for found in trials.choose()] == [0.6]
    assert [found.promised for found in trials.choose(trial=front[1])] == [0.8]

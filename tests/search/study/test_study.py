"""The study in a real SQLite file: made, reopened, refused, requeued, locked."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from search.errors import UserError
from search.study import samplers, study as studies
from search.study.storage import find_trial, study_names
from trainers.protocol import VERSION

SPACE = {"width": IntDistribution(16, 64, step=16), "lr": FloatDistribution(1e-4, 1e-1, log=True)}
DEFAULTS = {"width": 32, "lr": 2e-3}
IDENTITY = {
    **{"protocol": VERSION, "pipeline": "p", "data": "mini", "epochs": 3, "seed": 0},
    "space": {"lr": "x"},
}


def new(storage: RDBStorage, name: str = "s") -> optuna.Study:
    study = studies.create(storage, name, identity=IDENTITY, defaults=DEFAULTS)
    study.sampler = samplers.build_sampler("random", seed=0, trials_so_far=0)
    return study


def test_a_study_reopens_with_its_trials_and_no_second_default(storage: RDBStorage) -> None:
    study = new(storage)
    study.tell(study.ask(SPACE), 0.5)
    again = studies.reopen(storage, "s", identity=dict(reversed(IDENTITY.items())))
    assert [t.value for t in again.trials] == [0.5]
    again.sampler = samplers.build_sampler("random", seed=0, trials_so_far=1)
    assert again.ask(SPACE).params != DEFAULTS


def test_a_study_that_was_only_half_made_is_made_anew(storage: RDBStorage) -> None:
    for trials in (0, 1):
        half = optuna.create_study(storage=storage, study_name="s", direction="maximize")
        if trials:
            half.enqueue_trial(DEFAULTS)
        assert study_names(storage) == []
        assert new(storage).ask(SPACE).params == DEFAULTS
        assert study_names(storage) == ["s"]
        optuna.delete_study(study_name="s", storage=storage)


def test_somebody_elses_study_is_left_alone(storage: RDBStorage) -> None:
    other = optuna.create_study(storage=storage, study_name="s")
    for _ in range(2):
        other.tell(other.ask(SPACE), 0.5)
    with pytest.raises(optuna.exceptions.DuplicatedStudyError):
        new(storage)
    assert len(other.trials) == 2


def test_a_study_for_something_else_is_refused_with_the_difference(storage: RDBStorage) -> None:
    study = new(storage)
    trial = study.ask(SPACE)
    for other, said in (("y", '"y"'), ("y" * 5000, "yyy")):  # a long one is cut
        with pytest.raises(UserError) as caught:
            studies.reopen(storage, "s", identity={**IDENTITY, "epochs": 9, "space": {"lr": other}})
        message = str(caught.value)
        assert "epochs: 3 then, 9 now" in message
        assert "space" in message and said in message
        assert "seed" not in message
        assert len(message.splitlines()) <= 3 and len(message) < 500
    assert study.trials[trial.number].state is TrialState.RUNNING, "nothing was touched"


def test_a_study_of_an_earlier_protocol_is_refused(storage: RDBStorage) -> None:
    """Before it was recorded, it was version 1."""
    earlier = {name: value for name, value in IDENTITY.items() if name != "protocol"}
    studies.create(storage, "s", identity=earlier, defaults=DEFAULTS)
    with pytest.raises(UserError, match="measured by protocol 1") as caught:
        studies.reopen(storage, "s", identity=IDENTITY)
    assert len(str(caught.value).splitlines()) == 2


def test_reopening_puts_back_what_a_killed_driver_left_running(storage: RDBStorage) -> None:
    study = new(storage)
    asked = [study.ask(SPACE) for _ in range(3)]
    study.tell(asked[0], 0.1)
    again = studies.reopen(storage, "s", identity=IDENTITY)
    states = [t.state for t in again.trials]
    assert states == [TrialState.COMPLETE, TrialState.WAITING, TrialState.WAITING]
    again.sampler = samplers.build_sampler("random", seed=0, trials_so_far=3)
    assert [again.ask(SPACE).params for _ in range(2)] == [t.params for t in asked[1:]]


def test_the_precision_of_a_study_is_that_of_its_trials_on_the_device(storage: RDBStorage) -> None:
    study = new(storage)
    assert studies.precision_on(study, "cpu") is None
    for device, precision in (("cuda", "bfloat16"), ("cpu", "float32")):
        trial = study.ask(SPACE)
        trial.set_user_attr(studies.CONFIG, {"device": device, "precision": precision})
    assert studies.precision_on(study, "cpu") == "float32"
    assert studies.precision_on(study, "cuda") == "bfloat16"


def test_duplicates_are_neither_trained_nor_counted(storage: RDBStorage) -> None:
    study = new(storage)
    first, second, third = (study.ask(SPACE) for _ in range(3))
    study.tell(first, 0.7)
    second.set_user_attr(studies.DUPLICATE, 0)
    study.tell(second, state=TrialState.FAIL)
    study.tell(third, state=TrialState.FAIL)
    assert studies.counts(study) == {"COMPLETE": 1, "FAIL": 1}
    assert [t.number for t in studies.trained(study)] == [0, 2]


def test_the_best_come_first_and_ties_by_number(storage: RDBStorage) -> None:
    study = new(storage)
    for value in (0.2, 0.9, 0.0, 0.9, None):
        trial = study.ask(SPACE)
        if value is None:
            trial.report(1.0, 1)
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, value)
    assert [t.number for t in studies.best_trials(study)] == [1, 3, 0, 2]


def test_studies_are_found_by_pipeline_and_data_oldest_first(storage: RDBStorage) -> None:
    for name, pipeline, data in (("b", "p", "mini"), ("a", "p", "mini"), ("c", "q", "real")):
        studies.create(
            storage, name, identity={"pipeline": pipeline, "data": data}, defaults=DEFAULTS
        )
    assert study_names(storage) == ["b", "a", "c"]
    assert study_names(storage, "p", "mini") == ["b", "a"]
    assert study_names(storage, "p", "real") == []


def test_a_trial_is_found_in_any_study_by_its_id(storage: RDBStorage) -> None:
    for name in ("a", "b"):
        new(storage, name).ask(SPACE).set_user_attr(studies.CONFIG, {"trial_id": f"id-{name}"})
    found = find_trial(storage, "id-b")
    assert found is not None
    assert (found[0].study_name, found[1]) == ("b", {"trial_id": "id-b"})
    assert find_trial(storage, "id-c") is None


@pytest.mark.parametrize("name", ["tpe", "random", "gp"])
def test_a_resumed_sampler_does_not_propose_its_first_configurations_again(name: str) -> None:
    def proposals(seed: int, so_far: int) -> list[dict[str, object]]:
        sampler = samplers.build_sampler(name, seed=seed, trials_so_far=so_far)
        study = optuna.create_study(sampler=sampler)
        return [study.ask(SPACE).params for _ in range(3)]

    assert proposals(0, 0) == proposals(0, 0)
    assert proposals(0, 0) != proposals(0, 3)
    assert proposals(0, 0) != proposals(1, 0)

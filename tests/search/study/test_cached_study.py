"""A study in memory and in its database: both hold the same, whenever one looks."""

from __future__ import annotations

from operator import attrgetter

import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from search.study import samplers, study as studies
from search.study.cached_study import CachedStudy

SPACE: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "block": CategoricalDistribution(["strided", "pooled"]),
}
DEFAULTS = {"lr": 1e-3, "block": "pooled"}


@pytest.fixture
def study(storage: RDBStorage) -> optuna.Study:
    made = studies.create(storage, "s", identity={}, defaults=DEFAULTS)
    made.sampler = samplers.build_sampler("tpe", seed=0, trials_so_far=0)
    return made


told = attrgetter(
    *("number", "state", "params", "distributions", "values", "intermediate_values", "user_attrs")
)


def check(ledger: CachedStudy, study: optuna.Study) -> None:
    """Memory and what another process would read from the database."""
    again = optuna.load_study(storage=study._storage, study_name="s")
    assert [*map(told, ledger.trials)] == [*map(told, again.get_trials())]


def test_a_trial_is_the_same_in_both_at_every_step(study: optuna.Study) -> None:
    ledger = CachedStudy(study)
    check(ledger, study)  # the defaults, waiting
    for number in range(14):  # past TPE's random start
        trial = ledger.ask(SPACE)
        trial.set_user_attr("config", {"seed": number})
        ledger.keep(trial)
        check(ledger, study)
        assert study.get_trials()[number].state is TrialState.RUNNING
        ledger.report(trial, 0.5, 1)
        check(ledger, study)
        match number % 3:
            case 0:
                ledger.tell(trial, TrialState.COMPLETE, 0.6)
            case 1:
                ledger.tell(trial, TrialState.PRUNED)
            case _:
                ledger.tell(trial, TrialState.FAIL, attributes={"error": "diverged"})
        check(ledger, study)
    first = study.get_trials()[0]
    assert first.params == DEFAULTS and first.value == 0.6
    assert study.get_trials()[1].value == 0.5, "a pruned trial's value is its last one"


def test_several_under_way_at_once(study: optuna.Study) -> None:
    ledger = CachedStudy(study)
    trials = []
    for _ in range(4):
        trials.append(ledger.ask(SPACE))
        ledger.keep(trials[-1])
    for trial in reversed(trials):
        ledger.tell(trial, TrialState.COMPLETE, 0.1 * trial.number)
        check(ledger, study)


def test_a_proposal_that_was_not_kept_leaves_nothing(study: optuna.Study) -> None:
    """A driver that dies in between: the defaults still wait, and a new proposal never was."""
    ledger = CachedStudy(study)
    ledger.ask(SPACE)
    assert [t.state for t in study.get_trials()] == [TrialState.WAITING]
    again = CachedStudy(study)
    trial = again.ask(SPACE)
    assert trial.params == DEFAULTS
    again.keep(trial)
    again.ask(SPACE)
    assert len(study.get_trials()) == 1


def test_a_proposal_may_end_before_it_is_kept(study: optuna.Study) -> None:
    """A repeated one is told as failed at once, and another takes its place."""
    ledger = CachedStudy(study)
    first = ledger.ask(SPACE)
    ledger.keep(first)
    second = ledger.ask(SPACE)
    ledger.tell(second, TrialState.FAIL, attributes={"duplicate_of": 0})
    ledger.enqueue({"lr": 0.05, "block": "strided"})
    third = ledger.ask(SPACE)
    assert third.params == {"lr": 0.05, "block": "strided"}
    ledger.keep(third)
    stored = study.get_trials()
    assert [t.state.name for t in stored] == ["RUNNING", "FAIL", "RUNNING"]
    assert stored[1].user_attrs == {"duplicate_of": 0}
    assert stored[2].params == third.params

"""The searcher, driven by hand as Ray drives it: what Optuna and the listeners are told."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search.cluster.pruning import RungRecord
from search.cluster.searcher import TrialSearcher
from search.spaces import space as spaces
from search.spaces.goals import Aims, Limit
from search.spaces.pipeline import Scalar
from search.study import plots, samplers, study as studies
from search.study.cached_study import CachedStudy
from search.study.study_trials import REFUSALS, StudyTrials
from search.trials.config import TrialConfig
from search.trials.outcome import TrialOutcome
from trainers.protocol import VERSION

METRIC = "valid/accuracy"
SPACE: dict[str, BaseDistribution] = {
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "block": CategoricalDistribution(["strided", "pooled"]),
}
DEFAULTS = {"lr": 1e-3, "block": "pooled"}
FOUR = {
    "a": CategoricalDistribution([1, 2]),
    "b": CategoricalDistribution(["x", "y"]),
}


class Notes:
    """A listener that writes down what it is told."""

    def __init__(self, log: list[tuple[object, ...]], name: str) -> None:
        self.log, self.name = log, name

    def trial_started(self, config: TrialConfig) -> None:
        self.log.append((self.name, "start", config.number))

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None:
        self.log.append((self.name, "epoch", config.number, dict(metrics)))

    def trial_ended(self, config: TrialConfig, outcome: TrialOutcome) -> None:
        self.log.append((self.name, "end", config.number, outcome))


class Driven:
    """A study in SQLite and a searcher over it, with two listeners."""

    def __init__(
        self,
        storage: optuna.storages.RDBStorage,
        space: Mapping[str, BaseDistribution],
        defaults: Mapping[str, Scalar],
        *,
        sampler: str = "random",
        epochs: int = 3,
        resume: bool = False,
        violations: Callable[[Mapping[str, Scalar]], Mapping[str, float]] = lambda params: {},
        limits: tuple[Limit, ...] = (),
    ) -> None:
        if resume:
            self.study = studies.reopen(storage, "s", identity={"protocol": VERSION})
        else:
            self.study = studies.create(
                storage, "s", identity={"protocol": VERSION}, defaults=defaults
            )
        so_far = len(self.study.trials)
        self.study.sampler = samplers.build_sampler(sampler, seed=0, trials_so_far=so_far)
        self.log: list[tuple[object, ...]] = []

        def make_config(trial_id: str, number: int, params: Mapping[str, Scalar]) -> TrialConfig:
            return TrialConfig(
                trial_id=trial_id,
                number=number,
                study="s",
                pipeline="p",
                params=dict(params),
                seed=100 + number,
                epochs=epochs,
                rungs=(1,),
            )

        self.source = StudyTrials(
            self.study, space=space, make_config=make_config, seed=0, violations=violations
        )
        self.rungs = RungRecord()
        self.searcher = TrialSearcher(
            self.source,
            aims=replace(Aims.of(METRIC), limits=limits),
            listeners=[Notes(self.log, "first"), Notes(self.log, "second")],
            rungs=self.rungs,
        )

    def state(self, number: int) -> TrialState:
        return self.study.get_trials()[number].state

    def events(self, kind: str) -> list[tuple[object, ...]]:
        return [note[2:] for note in self.log if note[:2] == ("first", kind)]

    def outcome(self, number: int) -> TrialOutcome:
        [outcome] = [note[1] for note in self.events("end") if note[0] == number]
        assert isinstance(outcome, TrialOutcome)
        return outcome

    def suggest(self, ray_id: str) -> dict[str, object]:
        config = self.searcher.suggest(ray_id)
        assert isinstance(config, dict)
        return config


Drive = Callable[..., Driven]


@pytest.fixture
def drive(storage: optuna.storages.RDBStorage) -> Drive:
    def make(
        space: Mapping[str, BaseDistribution] = SPACE,
        defaults: Mapping[str, Scalar] = DEFAULTS,
        **settings: object,
    ) -> Driven:
        return Driven(storage, space, defaults, **settings)  # type: ignore[arg-type]

    return make


def result(epoch: int, value: float | None = None, **more: object) -> dict[str, object]:
    """What Ray hands on of one epoch, its own columns included."""
    measured = {} if value is None else {f"metrics/{METRIC}": value}
    metrics = {"metrics/train/loss": 1.0 / epoch, **measured}
    return {"epoch": epoch, **metrics, "pid": 1, "config/lr": 1.0, **more}


def train(driven: Driven, ray_id: str, values: Sequence[float | None], **last: object) -> None:
    """Report these epochs, the last of them as the end."""
    *before, end = values
    for epoch, value in enumerate(before, start=1):
        driven.searcher.on_trial_result(ray_id, result(epoch, value))
    driven.searcher.on_trial_complete(ray_id, result(len(values), end, **last))


def test_the_first_proposal_is_the_defaults_and_everything_is_stored(drive: Drive) -> None:
    driven = drive()
    config = driven.suggest("r0")
    assert config["params"] == DEFAULTS
    assert config["seed"] == 100
    stored = driven.study.trials[0].user_attrs[studies.CONFIG]
    assert stored == config
    assert TrialConfig.from_json(stored).rungs == (1,)
    assert driven.state(0) is TrialState.RUNNING


def test_a_trial_that_trained_all_its_epochs_is_complete(drive: Drive) -> None:
    driven = drive()
    driven.suggest("r0")
    train(driven, "r0", [0.4, None, 0.6], weights="/w/file", done=True)
    trial = driven.study.trials[0]
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.6)
    assert trial.intermediate_values == {1: 0.4, 3: 0.6}
    assert driven.outcome(0) == TrialOutcome(state="COMPLETE", value=0.6, weights="/w/file")


def test_processes_that_die_before_an_epoch_three_times_in_a_row_end_the_search(
    drive: Drive,
) -> None:
    """A node takes a trial as soon as it has killed the last one: it would take them all."""
    driven = drive()

    def die(ray_id: str, *, after: int = 0) -> None:
        driven.suggest(ray_id)
        for epoch in range(1, after + 1):
            driven.searcher.on_trial_result(ray_id, result(epoch, 0.3))
        driven.searcher.on_trial_complete(ray_id, error=True)

    die("r0")
    die("r1")
    die("r2", after=1)
    die("r3")
    die("r4")
    assert driven.searcher.broken is None
    die("r5")
    assert "3 trials in a row died before their first epoch" in (driven.searcher.broken or "")
    assert driven.searcher.suggest("r6") == Searcher.FINISHED


@pytest.mark.parametrize("values", [[0.2], [0.2, 0.3, 0.4]], ids=["pruned", "complete"])
def test_a_trial_that_the_scheduler_stopped_is_pruned_unless_it_was_at_its_end(
    drive: Drive, values: list[float]
) -> None:
    """A scheduler may say STOP at the end, too."""
    driven = drive()
    driven.suggest("r0")
    driven.rungs.stopped.add("r0")
    train(driven, "r0", values)
    state = "PRUNED" if len(values) == 1 else "COMPLETE"
    assert driven.state(0).name == state
    assert driven.study.trials[0].intermediate_values == dict(enumerate(values, 1))
    assert driven.outcome(0) == TrialOutcome(state=state, value=values[-1])  # type: ignore[arg-type]


def test_an_error_is_a_failure_with_its_reason(drive: Drive) -> None:
    driven = drive()
    driven.suggest("r0")
    driven.searcher.on_trial_result("r0", result(1, 0.3))
    end = {"done": True, "error": "loss is nan at step 7", "traceback": "Trace"}
    driven.searcher.on_trial_complete("r0", end)
    assert driven.state(0) is TrialState.FAIL
    assert driven.study.trials[0].user_attrs[studies.ERROR] == "loss is nan at step 7"
    assert (driven.outcome(0).state, driven.outcome(0).traceback) == ("FAIL", "Trace")


@pytest.mark.parametrize("last", [None, {"epoch": 1, f"metrics/{METRIC}": 0.3}])
def test_a_dead_process_is_a_failure(drive: Drive, last: dict[str, object] | None) -> None:
    driven = drive()
    driven.suggest("r0")
    driven.searcher.on_trial_complete("r0", last, error=True)
    assert driven.state(0) is TrialState.FAIL
    assert "process died" in driven.study.trials[0].user_attrs[studies.ERROR]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None])
@pytest.mark.parametrize("before", [None, 0.5])
def test_a_metric_that_is_no_number_is_a_failure(
    drive: Drive, value: float | None, before: float | None
) -> None:
    """Also where an earlier rung had a number: the trial did not end with one."""
    driven = drive()
    driven.suggest("r0")
    train(driven, "r0", [before, None, value])
    assert driven.state(0) is TrialState.FAIL
    assert METRIC in driven.study.trials[0].user_attrs[studies.ERROR]


def test_none_stays_running_after_an_interruption_and_the_same_trial_returns(drive: Drive) -> None:
    driven = drive()
    configs = [driven.suggest(f"r{n}") for n in range(3)]
    train(driven, "r0", [0.1, 0.2, 0.3])
    driven.searcher.on_trial_result("r1", result(1, 0.4))
    driven.searcher.interrupt()
    assert [t.state.name for t in driven.study.trials] == ["COMPLETE", "WAITING", "WAITING"]
    assert driven.outcome(1) == TrialOutcome(state="INTERRUPTED", value=0.4)
    assert driven.outcome(2) == TrialOutcome(state="INTERRUPTED")
    assert driven.searcher.suggest("r9") == Searcher.FINISHED, "it is over"

    resumed = drive(resume=True)
    assert [resumed.suggest(f"q{n}") for n in (1, 2)] == configs[1:]
    train(resumed, "q1", [0.4, 0.5, 0.6])
    assert resumed.state(1) is TrialState.COMPLETE
    assert resumed.suggest("q3")["number"] == 3


def test_a_time_budget_leaves_a_trial_to_be_resumed(drive: Drive) -> None:
    """Ray ends it with its last result, as it would end a stopped one."""
    driven = drive()
    driven.suggest("r0")
    driven.searcher.on_trial_result("r0", result(1, 0.3))
    driven.searcher.on_trial_complete("r0", result(1, 0.3))
    assert driven.state(0) is TrialState.WAITING
    assert driven.outcome(0).state == "INTERRUPTED"


def test_no_configuration_is_trained_twice_and_a_finite_space_ends(drive: Drive) -> None:
    driven = drive(FOUR, {"a": 1, "b": "x"})
    trained = []
    for number in range(4):
        config = driven.suggest(f"r{number}")
        trained.append(tuple(config["params"].items()))  # type: ignore[attr-defined]
        train(driven, f"r{number}", [0.1, 0.1, 0.1])
    assert len(set(trained)) == 4
    assert not driven.source.exhausted
    assert driven.searcher.suggest("r9") == Searcher.FINISHED
    assert driven.source.exhausted
    marked = [t for t in driven.study.trials if studies.is_duplicate(t)]
    assert marked and all(t.state is TrialState.FAIL for t in marked)
    for trial in marked:
        original = driven.study.trials[trial.user_attrs[studies.DUPLICATE]]
        assert original.params == trial.params
        assert original.number < trial.number
        assert not studies.is_duplicate(original)
    assert studies.counts(driven.study) == {"COMPLETE": 4}
    assert len(driven.events("start")) == 4, "a duplicate has no run"
    assert all(t.state is not TrialState.RUNNING for t in driven.study.trials)


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_running_configurations_count_as_tried(drive: Drive, sampler: str) -> None:
    driven = drive(FOUR, {"a": 1, "b": "x"}, sampler=sampler)
    params = [tuple(driven.suggest(f"r{n}")["params"].items()) for n in range(4)]  # type: ignore[attr-defined]
    assert len(set(params)) == 4
    assert driven.searcher.suggest("r4") == Searcher.FINISHED


def test_a_resumed_study_remembers_what_was_tried(drive: Drive) -> None:
    driven = drive(FOUR, {"a": 1, "b": "x"})
    for number in range(2):
        driven.suggest(f"r{number}")
        train(driven, f"r{number}", [0.1, 0.1, 0.1])
    driven.suggest("r2")
    driven.searcher.interrupt()
    resumed = drive(FOUR, {}, resume=True)
    again = [resumed.suggest(f"q{n}") for n in range(2)]
    assert again[0]["number"] == driven.events("start")[2][0], "the interrupted one first"
    everything = [t.params for t in resumed.study.trials if not studies.is_duplicate(t)]
    assert len({tuple(sorted(p.items())) for p in everything}) == 4
    assert resumed.searcher.suggest("q2") == Searcher.FINISHED


def test_a_scheduler_knows_what_ended_how_before_and_after_a_restart(drive: Drive) -> None:
    """Neither a trial that was stopped nor one beyond a limit is one to be beaten."""
    driven = drive(limits=(Limit("valid/mae", "<=", 1.0),))
    for number, error in enumerate((0.5, 2.0)):
        driven.suggest(f"r{number}")
        train(driven, f"r{number}", [0.1, None, 0.3 + number], **{"metrics/valid/mae": error})
    driven.suggest("r2")
    driven.rungs.stopped.add("r2")
    train(driven, "r2", [0.05])
    values = [{1: 0.1, 3: 0.3}, {1: 0.1, 3: 1.3}, {1: 0.05}]
    assert driven.rungs.values == {f"r{number}": known for number, known in enumerate(values)}
    assert driven.rungs.ended == {"r0": 0.3}
    resumed = drive(resume=True)
    resumed.rungs.recall(resumed.source.ended_before())
    assert list(resumed.rungs.values.values()) == values
    assert list(resumed.rungs.ended.values()) == [0.3]


def test_an_epoch_is_heard_once(drive: Drive) -> None:
    """Ray repeats the last result, and a restarted process its first epochs."""
    driven = drive()
    driven.suggest("r0")
    for epoch in (1, 2, 1, 2):
        driven.searcher.on_trial_result("r0", result(epoch, 0.1 * epoch))
    driven.searcher.on_trial_complete("r0", result(3, 0.3))
    driven.searcher.on_trial_complete("r0", result(3, 0.3))
    assert [note[1]["epoch"] for note in driven.events("epoch")] == [1, 2, 3]  # type: ignore[index]
    assert len(driven.events("end")) == 1
    assert driven.study.trials[0].intermediate_values == pytest.approx({1: 0.1, 2: 0.2, 3: 0.3})


def test_listeners_hear_everything_in_order_and_metrics_alone(drive: Drive) -> None:
    driven = drive(epochs=1)
    driven.suggest("r0")
    train(driven, "r0", [0.5], weights="/w", hostname="h", **{"train/flag": "text"})
    expected = [
        ("start", 0),
        ("epoch", 0, {"epoch": 1, "train/loss": 1.0, METRIC: 0.5}),
        ("end", 0, TrialOutcome(state="COMPLETE", value=0.5, weights="/w")),
    ]
    assert driven.log == [(name, *note) for note in expected for name in ("first", "second")]


def test_what_is_unknown_is_left_alone(drive: Drive) -> None:
    driven = drive()
    driven.searcher.on_trial_result("nobody", result(1, 0.1))
    driven.searcher.on_trial_complete("nobody", result(1, 0.1))
    assert driven.log == []


def test_ray_may_write_the_searcher_to_disk(drive: Drive, tmp_path: Path) -> None:
    driven = drive()
    driven.suggest("r0")
    pickle.dumps(driven.searcher)
    driven.searcher.save(str(tmp_path / "x"))
    driven.searcher.restore(str(tmp_path / "x"))
    assert driven.state(0) is TrialState.RUNNING


def at_most(bound: float) -> Callable[[Mapping[str, Scalar]], dict[str, float]]:
    """A limit on `lr` that is known before training."""
    limit = Limit("lr", "<=", bound)
    return lambda params: {str(limit): limit.violation(float(params["lr"]))}


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_a_proposal_beyond_a_limit_is_pruned_untrained_and_not_counted(
    drive: Drive, sampler: str
) -> None:
    """One in seventy of the space keeps the limit; the defaults do not."""
    driven = drive(sampler=sampler, violations=at_most(1.1e-4))
    for number in range(3):
        config = driven.suggest(f"r{number}")
        assert config["params"]["lr"] <= 1.1e-4  # type: ignore[index]
        train(driven, f"r{number}", [0.1, 0.2, 0.3])
    assert studies.counts(driven.study) == {"COMPLETE": 3}
    assert len(driven.events("start")) == 3, "no listener hears of what is not trained"
    refused = studies.refused(driven.study)
    assert refused[0].params == DEFAULTS, "whole, though it had waited in the database"
    assert 3 <= len(refused) <= 3 * REFUSALS, "it is bounded how many a trial may cost"
    for trial in refused:
        assert trial.state is TrialState.PRUNED and studies.CONFIG not in trial.user_attrs
        assert trial.constraints == at_most(1.1e-4)(trial.params)
        assert trial.user_attrs[studies.REFUSED].endswith("over 0.00011")

    resumed = drive(sampler=sampler, resume=True, violations=at_most(1.1e-4))
    resumed.suggest("q0")
    tried = [spaces.key(trial.params) for trial in resumed.study.trials]
    assert len(set(tried)) == len(tried) or sampler != "random"


def test_limits_that_nothing_keeps_end_the_search(drive: Drive) -> None:
    driven = drive(violations=at_most(1e-5))
    for _ in range(2):
        assert driven.searcher.suggest("r") == Searcher.FINISHED
    assert driven.source.exhausted
    assert len(driven.study.trials) == REFUSALS, "asking again costs nothing"
    assert not studies.best_trials(driven.study) and not studies.trained(driven.study)


def test_of_complete_trials_those_beyond_a_limit_rank_last(drive: Drive) -> None:
    driven = drive()
    cached = driven.source._cached
    for value, excess in ((0.9, 2.0), (0.5, -1.0), (0.8, 0.5), (0.6, 0.0)):
        trial = cached.ask(SPACE)
        cached.tell(trial, TrialState.COMPLETE, [value], violations={"valid/mae<=1": excess})
    assert [trial.number for trial in studies.ranked(driven.study)] == [3, 1, 2, 0]
    assert [trial.number for trial in studies.best_trials(driven.study)] == [3, 1]


def test_two_goals_have_a_front(storage: optuna.storages.RDBStorage) -> None:
    identity = {"protocol": VERSION, "goals": ["valid/accuracy", "valid/mae:min"]}
    study = studies.create(storage, "two", identity=identity, defaults=None)
    study.sampler = samplers.build_sampler("tpe", seed=0, trials_so_far=0)
    cached = CachedStudy(study)
    rng = np.random.default_rng(0)
    for _ in range(40):
        trial = cached.ask(SPACE)
        cached.report(trial, 0.5, 1)  # which Optuna refuses for two goals
        cached.tell(trial, TrialState.COMPLETE, rng.uniform(size=2).tolist())
    ahead = cached.ask(SPACE)
    cached.tell(ahead, TrialState.COMPLETE, [2.0, 0.5], violations={"train/loss<=1": 0.1})
    best = studies.best_trials(study)
    assert ahead.number not in {trial.number for trial in best}, "it is beyond a limit"
    values = [trial.values for trial in best]
    assert values == sorted(values, reverse=True) and len(values) > 1
    assert [mae for _, mae in values] == sorted((mae for _, mae in values), reverse=True)
    every = [trial.values for trial in study.trials if trial.number != ahead.number]
    for accuracy, mae in values:
        assert not any(a >= accuracy and m <= mae and [a, m] != [accuracy, mae] for a, m in every)
    assert "Front" in plots.page(study, title="two")

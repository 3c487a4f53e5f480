"""TPE that looks at a bounded number of trials."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import _split_trials
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.study import samplers
from search.study.cached_study import CachedStudy
from search.study.samplers import (
    BEST,
    STARTUP,
    BoundedTPE,
    InTurns,
    build_sampler,
    expected_ends,
    shown,
)

SPACE = {"x": FloatDistribution(0.0, 1.0), "kind": CategoricalDistribution(["a", "b"])}
SETTINGS = {"multivariate": False, "constant_liar": True, "seed": 0}


def ended(count: int, *, complete_every: int = 3) -> list[FrozenTrial]:
    """Trials whose values fall from the first to the last; most were pruned."""
    draw = random.Random(0)
    trials = []
    for number in range(count):
        params = {"x": draw.random(), "kind": draw.choice("ab")}
        value = 1 - number / count
        complete = number % complete_every == 0
        trials.append(
            create_trial(
                params=params,
                distributions=SPACE,
                state=TrialState.COMPLETE if complete else TrialState.PRUNED,
                value=value if complete else None,
                intermediate_values={1: value},
            )
        )
        trials[-1].number = number
    return trials


def study_of(trials: list[FrozenTrial], sampler: TPESampler) -> optuna.Study:
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials(trials)
    return study


def proposals(sampler: TPESampler, trials: int) -> list[dict[str, object]]:
    study = study_of(ended(trials), sampler)
    return [study.ask(SPACE).params for _ in range(3)]  # with those before it running


def test_few_trials_are_all_shown_and_proposals_are_those_of_optuna() -> None:
    trials = ended(60)
    assert shown(trials) == trials
    for together in (False, True):
        settings = {**SETTINGS, "multivariate": together}
        assert proposals(BoundedTPE(**settings), 60) == proposals(TPESampler(**settings), 60)


def test_of_many_the_running_the_best_and_the_newest_are_shown() -> None:
    trials = ended(1200)
    trials[700].state = TrialState.RUNNING
    numbers = [trial.number for trial in shown(trials)]
    assert len(numbers) == samplers.MOST + 1
    assert numbers == sorted(numbers)
    best = list(range(0, 3 * BEST, 3))  # complete; the pruned ones between them are not
    assert numbers[: BEST + 1] == [*best, 700]
    assert numbers[BEST + 1 :] == list(range(1200 - samplers.MOST + BEST, 1200))


def test_where_few_are_complete_the_pruned_that_came_furthest_come_next() -> None:
    trials = ended(1200, complete_every=2000)
    trials[600].intermediate_values[2] = 0.0
    trials[6].intermediate_values.clear()
    numbers = [trial.number for trial in shown(trials)]
    assert numbers[:BEST] == [*(n for n in range(BEST) if n != 6), 600]


def test_the_best_draw_proposals_to_them_however_old_they_are() -> None:
    trials = ended(1200)
    for trial in trials:
        trial.params["x"] = 0.9 + trial.number / 1000 if trial.number < 80 else 0.4
    study = study_of(trials, BoundedTPE(**SETTINGS))
    assert min(study.ask(SPACE).params["x"] for _ in range(5)) > 0.6


def test_optuna_asks_only_for_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: the cost of a proposal stays as it is."""
    asked: list[int] = []
    build = TPESampler._build_parzen_estimator

    def count(
        self: TPESampler, study: Any, space: Any, trials: list[FrozenTrial], handle_below: bool
    ) -> Any:
        asked.append(len(trials))
        return build(self, study, space, trials, handle_below)

    monkeypatch.setattr(TPESampler, "_build_parzen_estimator", count)
    study = study_of(ended(1200), samplers.build_sampler("tpe", seed=0, trials_so_far=0))
    study.ask(SPACE)
    assert sum(asked) == (samplers.MOST - 1) * len(SPACE), "the one asked for is the newest"


@pytest.mark.parametrize("minimise", [False, True])
def test_of_many_those_are_shown_that_optuna_takes_for_the_best(minimise: bool) -> None:
    """With limits too: what is feasible before what is not, complete before pruned."""
    rng = np.random.default_rng(0)
    trials = ended(1200)
    for trial in trials[:-10]:
        trial.set_constraint("limit", rng.normal(-1.0 if trial.number % 600 < 9 else 2.0, 0.4))
    direction = "minimize" if minimise else "maximize"
    study = optuna.create_study(direction=direction)
    below, _ = _split_trials(study, trials[: -(samplers.MOST - BEST)], BEST)
    kept = shown(trials, minimise=minimise)[: -(samplers.MOST - BEST)]
    assert [trial.number for trial in kept] == [trial.number for trial in below]
    states = {(trial.state, trial.constraints["limit"] <= 0) for trial in kept}
    assert states > {(TrialState.COMPLETE, True), (TrialState.PRUNED, True)}, (
        "and infeasible ones, as many as fit"
    )


def test_a_process_takes_every_other_turn_once_enough_is_known() -> None:
    """Which parameters are proposed jointly says whose turn it is; the others' are TPE's own."""
    for count, whose in ((STARTUP - 1, []), (60, []), (61, ["kind", "x"]), (62, [])):
        trials = ended(count)
        study = study_of(trials, InTurns(**SETTINGS))
        study.ask(SPACE)
        asked = study.get_trials(deepcopy=False)[-1]
        assert sorted(study.sampler.infer_relative_search_space(study, asked)) == whose
    assert proposals(InTurns(**SETTINGS), 60)[0] == proposals(BoundedTPE(**SETTINGS), 60)[0]
    first, second = (proposals(InTurns(**SETTINGS), 61) for _ in range(2))
    assert first == second != proposals(BoundedTPE(**SETTINGS), 61)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_process_is_shown_where_pruned_trials_would_have_ended(sign: int) -> None:
    """Complete trials gained 0.2 from epoch 2 on and 0.1 from epoch 4 on."""
    study = optuna.create_study(direction="maximize" if sign > 0 else "minimize")

    def add(state: TrialState, by_epoch: dict[int, float], value: float | None = None) -> None:
        study.add_trial(
            create_trial(
                params={"x": len(study.trials) / 10},
                distributions={"x": SPACE["x"]},
                state=state,
                value=value and sign * value,
                intermediate_values={epoch: sign * seen for epoch, seen in by_epoch.items()},
            )
        )

    for end in (0.7, 0.8, 0.9):
        add(TrialState.COMPLETE, {2: end - 0.2, 4: end - 0.1}, end)
    add(TrialState.PRUNED, {2: 0.3})
    add(TrialState.PRUNED, {2: 0.3, 4: 0.5})
    add(TrialState.PRUNED, {3: 0.5})
    add(TrialState.PRUNED, {})
    add(TrialState.FAIL, {2: 0.5})
    add(TrialState.RUNNING, {2: 0.5})
    seen = expected_ends(study)
    assert [one.params["x"] for one in seen] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.8]
    values = [sign * one.values[0] for one in seen[:-1]]
    assert values == pytest.approx([0.7, 0.8, 0.9, 0.5, 0.6])
    assert {one.state for one in seen[:-1]} == {TrialState.COMPLETE}
    assert seen[-1].state is TrialState.RUNNING
    assert study.trials[3].state is TrialState.PRUNED, "the study keeps what it was told"


@pytest.mark.slow
def test_turns_find_what_depends_on_two_parameters_together() -> None:
    """A narrow ridge; deterministic: each seed's best of 40 trials, the median of five seeds."""
    plane = {name: FloatDistribution(-1.0, 1.0) for name in "xy"}

    def best(name: str, seed: int) -> float:
        study = optuna.create_study(direction="maximize")
        study.sampler = build_sampler(name, seed=seed, trials_so_far=0)
        for _ in range(40):
            trial = study.ask(plane)
            x, y = trial.params["x"], trial.params["y"]
            study.tell(trial, -((x - y) ** 2) * 20 - (x - 0.4) ** 2)
        return study.best_value

    turns, alone = (
        np.median([best(name, seed) for seed in range(5)]) for name in ("tpe+gp", "tpe")
    )
    assert turns > max(-0.002, alone)


@pytest.mark.parametrize("name", ["tpe", pytest.param("gp", marks=pytest.mark.slow)])
def test_a_sampler_learns_from_a_limit(name: str) -> None:
    """The goal pulls x up to 1, the limit holds it at 0.3."""

    def proposed(*, limited: bool) -> list[float]:
        study = optuna.create_study(direction="maximize")
        study.sampler = build_sampler(name, seed=0, trials_so_far=0)
        cached = CachedStudy(study)
        for _ in range(25):
            trial = cached.ask({"x": FloatDistribution(0.0, 1.0)})
            x = trial.params["x"]
            violations = {"x<=0.3": (x - 0.3) / 0.3} if limited else {}
            cached.tell(trial, TrialState.COMPLETE, [x], violations=violations)
        assert all(len(trial.constraints) == limited for trial in study.trials), "in both copies"
        return [trial.params["x"] for trial in study.trials[-10:]]

    assert np.median(proposed(limited=False)) > 0.7
    assert np.median(proposed(limited=True)) < 0.5

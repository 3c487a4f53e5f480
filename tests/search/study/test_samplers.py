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
from search.study.samplers import BEST, BoundedTPE, build_sampler, shown

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

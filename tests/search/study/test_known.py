"""A search that starts from another: what of it is known, and what the sampler makes of that."""

from __future__ import annotations

import json

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import TrialState, create_trial

from search.errors import UserError
from search.files.home import PUBLISHED
from search.spaces.pipeline import load_pipeline
from search.study import known, study as studies
from search.study.known import Known, find
from search.study.samplers import build_sampler

SPACE = {"x": FloatDistribution(0.0, 1.0), "kind": CategoricalDistribution(["a", "b"])}
IDENTITY = {"pipeline": "mnist_contrastive", "protocol": 2}


def earlier(storage: RDBStorage, name: str = "earlier") -> optuna.Study:
    """Complete trials, the worst first; one pruned, one failed."""
    study = studies.create(storage, name, identity=IDENTITY, defaults=None)
    for number in range(10):
        params = {"x": number / 10, "kind": "ab"[number % 2]}
        study.add_trial(create_trial(params=params, distributions=SPACE, value=number / 100))
    for state in (TrialState.PRUNED, TrialState.FAIL):
        params = {"x": 1.0, "kind": "a"}
        at_rung = {1: 0.99} if state is TrialState.PRUNED else {}
        study.add_trial(
            create_trial(
                params=params, distributions=SPACE, state=state, intermediate_values=at_rung
            )
        )
    return study


def test_what_lies_in_a_narrower_space_is_known_in_its_order(storage: RDBStorage) -> None:
    earlier(storage)
    found = find("earlier", storage, SPACE)
    assert [c["x"] for c in found.configurations] == [*(n / 10 for n in range(9, -1, -1)), 1.0]
    assert found.left_out == 0
    narrow = {"x": FloatDistribution(0.25, 0.95), "kind": CategoricalDistribution(["a", "c"])}
    found = find("earlier", storage, narrow)
    assert [c["x"] for c in found.configurations] == [0.8, 0.6, 0.4]
    assert "the order of 3 of its trials is known, 8 lie outside this space" in found.describe()
    assert find("earlier", storage, {"x": SPACE["x"]}).configurations[0] == {"x": 0.9}
    for space in ({**SPACE, "more": SPACE["x"]}, {"x": FloatDistribution(2.0, 3.0)}):
        with pytest.raises(UserError, match="none of its 11 trials lies in this space"):
            find("earlier", storage, space)


def test_whole_numbers_lie_on_their_grid(storage: RDBStorage) -> None:
    study = studies.create(storage, "widths", identity=IDENTITY, defaults=None)
    wide = {"width": IntDistribution(16, 64, step=16)}
    for width in (16, 32, 48, 64):
        study.add_trial(
            create_trial(params={"width": width}, distributions=wide, value=float(width))
        )
    found = find("widths", storage, {"width": IntDistribution(16, 48, step=32)})
    assert [c["width"] for c in found.configurations] == [48, 16] and found.left_out == 2


def test_the_published_searches_can_be_started_from() -> None:
    for file in PUBLISHED.glob("*/search-*.json"):
        published = json.loads(file.read_text(encoding="utf-8"))
        space = load_pipeline(published["pipeline"]).space
        found = find(file.stem.removeprefix("search-"), None, space)
        complete = [t for t in published["study"]["trials"] if t["state"] == "COMPLETE"]
        best = max(complete, key=lambda trial: trial["value"])
        assert found.configurations[0] == {name: best["params"][name] for name in space}
    with pytest.raises(UserError, match="there is no such study"):
        find("nobodys", None, SPACE)


def test_two_goals_have_no_order(storage: RDBStorage) -> None:
    goals = ["valid/accuracy", "valid/mae:min"]
    studies.create(storage, "two", identity={**IDENTITY, "goals": goals}, defaults=None)
    with pytest.raises(UserError, match="two goals"):
        find("two", storage, SPACE)


def test_tpe_proposes_from_the_first_trial_on_where_the_best_lay(storage: RDBStorage) -> None:
    study = earlier(storage)
    for number in range(20):  # the better the nearer to 0.3, though by other values than today's
        x = 0.3 + number / 30
        study.add_trial(
            create_trial(
                params={"x": x, "kind": "a"}, distributions=SPACE, value=100.0 - abs(x - 0.3)
            )
        )
    found = find("earlier", storage, SPACE)

    def proposed(trials: list[optuna.trial.FrozenTrial], *, minimise: bool = False) -> float:
        near = 0
        for seed in range(20):
            direction = "minimize" if minimise else "maximize"
            sampler = build_sampler("tpe", seed=seed, trials_so_far=0, known=trials)
            started = optuna.create_study(direction=direction, sampler=sampler)
            near += abs(started.ask(SPACE).params["x"] - 0.3) < 0.15
        return near / 20

    assert proposed([]) < 0.6 < 0.8 < proposed(found.trials(SPACE))
    assert proposed(found.trials(SPACE), minimise=True) > 0.8


def test_its_own_trials_count_by_their_place_not_by_their_value(storage: RDBStorage) -> None:
    earlier(storage)
    trials = find("earlier", storage, SPACE).trials(SPACE)
    for minimise in (False, True):
        direction = "minimize" if minimise else "maximize"
        sampler = build_sampler("tpe", seed=0, trials_so_far=0, known=trials)
        study = optuna.create_study(direction=direction, sampler=sampler)
        for value in (5.0, 7.0):
            study.add_trial(
                create_trial(params={"x": 0.5, "kind": "a"}, distributions=SPACE, value=value)
            )
        study.ask(SPACE)
        shown = sampler._bounded._get_trials()  # type: ignore[attr-defined]
        assert [t.number for t in shown] == [*range(-11, 0), 0, 1, 2]
        values = [t.value for t in shown if t.state is TrialState.COMPLETE]
        sign = -1 if minimise else 1
        assert values == [*(sign * (1 - place / 11) for place in range(11)), *own(minimise)]
        assert [t.value for t in study.trials[:2]] == [5.0, 7.0], "the study is left as it is"


def own(minimise: bool) -> list[float]:
    """Of two trials with the values 5 and 7."""
    return [-1.0, -0.5] if minimise else [0.5, 1.0]


def test_a_study_keeps_what_it_was_started_from(storage: RDBStorage) -> None:
    earlier(storage)
    found = find("earlier", storage, SPACE)
    defaults = {"x": 0.2, "kind": "b"}
    kept = {"source": found.source, "configurations": list(found.configurations), "left_out": 0}
    study = studies.create(storage, "new", identity=IDENTITY, defaults=defaults, known=kept)
    assert Known.of(study) == Known(**kept)
    assert Known.of(earlier(storage, "other")) is None
    study.sampler = build_sampler("tpe", seed=0, trials_so_far=0)
    assert [study.ask(SPACE).params for _ in range(2)] == [defaults, {"x": 0.9, "kind": "b"}]
    again = studies.create(
        storage, "same", identity=IDENTITY, defaults={"x": 0.9, "kind": "b"}, known=kept
    )
    assert len(again.trials) == 1, "the best is the default"


def test_at_most_as_many_are_kept_as_tpe_looks_at(storage: RDBStorage) -> None:
    study = earlier(storage)
    study.add_trials(
        create_trial(params={"x": 0.0, "kind": "a"}, distributions=SPACE, value=-1.0)
        for _ in range(known.MOST)
    )
    found = find("earlier", storage, SPACE)
    assert len(found.configurations) == known.MOST and found.left_out == 0

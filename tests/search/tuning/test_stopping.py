"""A search that ends early: at a target, or when trials have long brought none better."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search.spaces.goals import Aims, Goal
from search.study import study as studies
from search.study.storage import load_study, open_storage
from search.trials.outcome import TrialOutcome
from search.tuning.stopping import Enough
from tests.commands import tune
from tests.search.tuning.test_twin import WORDS

COMPLETE, PRUNED, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def enough(
    target: float | None = None, patience: int | None = None, *, minimise: bool = False
) -> Callable[..., str | None]:
    """(trials that end: value or state) -> the reason to end, after them."""
    aims = Aims((Goal("valid/mae" if minimise else "valid/accuracy", minimise),))
    plan: Any = SimpleNamespace(aims=aims, target=target, stop_after=patience)
    made, number = Enough(plan, []), iter(range(99))

    def end(*trials: float | str) -> str | None:
        for trial in trials:
            value, state = (None, trial) if isinstance(trial, str) else (trial, "COMPLETE")
            config: Any = SimpleNamespace(number=next(number))
            made.trial_ended(config, TrialOutcome(state=state, value=value))  # type: ignore[arg-type]
        return made.reason

    return end


def test_a_target_is_reached_by_it_or_by_better() -> None:
    end = enough(0.95)
    assert end(0.9, "PRUNED", 0.949) is None
    assert end(0.95) == "trial 3 reached the target of 0.95: 0.9500"
    end = enough(0.05, minimise=True)
    assert end(0.06, 0.051) is None
    assert end(0.04) == "trial 2 reached the target of 0.05: 0.0400"


def test_patience_counts_what_ended_and_was_not_better() -> None:
    end = enough(patience=3)
    assert end("FAIL", "PRUNED", "PRUNED", "PRUNED") is None, "there is none to be better than"
    assert end(0.5, 0.4, "PRUNED", 0.6, 0.6, "FAIL", "INTERRUPTED") is None
    assert end("PRUNED") == "the last 3 trials brought none better than trial 7"


def test_what_is_beyond_a_limit_reaches_nothing() -> None:
    plan: Any = SimpleNamespace(aims=Aims.of("valid/accuracy"), target=0.9, stop_after=None)
    made = Enough(plan, [])
    over = TrialOutcome(state="COMPLETE", value=0.95, violations={"valid/mae<=0.05": 0.1})
    made.trial_ended(SimpleNamespace(number=0), over)  # type: ignore[arg-type]
    assert made.reason is None


def test_the_trials_of_earlier_calls_count_in_the_order_of_their_ends() -> None:
    study = optuna.create_study(direction="maximize")
    for state, value in ((COMPLETE, 0.5), (PRUNED, None), (FAIL, None)):
        study.add_trial(create_trial(state=state, value=value))
    plan: Any = SimpleNamespace(aims=Aims.of("valid/accuracy"), target=None, stop_after=2)
    backwards = study.get_trials()[::-1]
    assert "better than trial 0" in (Enough(plan, backwards).reason or "")
    plan.stop_after = 3
    assert Enough(plan, backwards).reason is None


@pytest.mark.slow
def test_a_search_ends_at_its_target_and_a_resumed_one_at_once(tmp_path: Path) -> None:
    words = [*WORDS, "--study", "s", "--trials", "30", "--target", "0.05"]
    ended = tune(tmp_path, *words)
    assert (ended.status, ended.err) == (0, "")
    assert "ends early: at 0.05" in ended.out
    assert "reached the target of 0.05" in ended.out and "to go on:" not in ended.out
    storage = open_storage(tmp_path / "mlruns")
    trained = studies.trained(load_study(storage, "s"))
    assert 1 <= len(trained) < 10
    storage.engine.dispose()
    again = tune(tmp_path, *words, "--resume")
    assert again.status == 0 and "0 trials of up to" in again.out
    longer = tune(tmp_path, *words[:-2], "--stop-after", "1", "--resume")
    assert longer.status == 0 and "brought none better" in longer.out

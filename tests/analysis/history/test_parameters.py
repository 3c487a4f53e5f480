"""Which hyperparameters mattered: the same trials as in Optuna, drawn where they lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from analysis import style
from analysis.history.parameter_figures import (
    draw_importance,
    draw_slice,
    parameters_figure,
)
from analysis.history.parameters import as_optuna, compute_parameters, widened
from analysis.records import Findings, StudyRecord, TrialRecord
from search.study import plots

SPACE = {
    "lr": FloatDistribution(1e-4, 1e-1, log=True),
    "width": IntDistribution(16, 64, step=16),
    "loss": CategoricalDistribution(["l1", "l2"]),
}


def trial(number: int, value: float, state: str = "COMPLETE", **params: Any) -> TrialRecord:
    """Measured after one epoch, and if complete after three."""
    curve = {1: value - 0.1} | ({3: value} if state == "COMPLETE" else {})
    params = {"lr": 1e-2, "width": 32, "loss": "l1", **params}
    measured: Any = {"value": curve[max(curve)], "curve": curve, "loss": {1: 1.0}, "seconds": 1.0}
    return TrialRecord(number=number, state=state, run_id="r", params=params, **measured)


def trials(count: int) -> list[TrialRecord]:
    """Their values follow from `lr` alone."""
    rng = np.random.default_rng(0)
    made = []
    for number, lr in enumerate(10 ** rng.uniform(-4, -1, count)):
        width, loss = int(rng.choice([16, 32, 48])), str(rng.choice(["l1", "l2"]))
        value, state = 0.7 + 0.02 * np.log10(lr / 1e-4), "COMPLETE" if number % 2 else "PRUNED"
        made.append(trial(number, value, state, lr=float(lr), width=width, loss=loss))
    return made


@pytest.fixture
def study(findings: Findings) -> StudyRecord:
    (found,) = findings.records["mnist_supervised"].studies
    return replace(found, trials=tuple(trials(30)))


def test_the_rebuilt_study_is_the_study(study: StudyRecord) -> None:
    rebuilt, kept = as_optuna(study.trials, SPACE)
    assert len(kept) == len(rebuilt.trials) == 30
    for one, other in zip(rebuilt.trials, study.trials, strict=True):
        assert one.params == other.params
        assert one.intermediate_values == other.curve
        assert one.state.name == other.state
        assert other.state != "COMPLETE" or one.value == other.value


def test_what_matters_is_found(study: StudyRecord) -> None:
    found = compute_parameters(study, SPACE)
    assert (len(found), found.epoch) == (15, 3)  # the latest that ten trials reached
    rebuilt, _ = as_optuna(study.trials, SPACE)
    assert (dict(found.importance), found.epoch) == plots.importance(rebuilt)
    assert next(iter(found.importance)) == "lr" == next(iter(found.space))
    assert sum(found.importance.values()) == pytest.approx(1)
    assert found.importance["lr"] > 0.5
    best = max((t for t in study.trials if t.state == "COMPLETE"), key=lambda t: t.value or 0)
    assert found.chosen is not None and found.params[found.chosen] == best.params


def test_equal_shares_stand_in_the_order_of_their_names(
    study: StudyRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for rounding: a report that is drawn again has the same figures."""
    rebuilt, _ = as_optuna(study.trials, SPACE)
    shares = {"c": 0.2, "a": 0.2 - 1e-13, "d": 0.5, "b": 0.1}
    monkeypatch.setattr(optuna.importance, "get_param_importances", lambda study: shares)
    assert list(plots.importance(rebuilt)[0]) == ["d", "a", "c", "b"]


def test_too_few_trials_say_nothing(study: StudyRecord) -> None:
    few = replace(study, trials=tuple(trials(plots.ENOUGH - 1)))
    found = compute_parameters(few, SPACE)
    assert not found.importance
    assert list(found.space) == list(SPACE)


def test_every_state_can_be_rebuilt() -> None:
    made = [
        trial(0, 0.5),
        trial(1, 0.4, "PRUNED"),
        replace(trial(2, 0.4, "PRUNED"), state="FAIL", value=None, curve={}),
        replace(trial(3, 0.4, "PRUNED"), state="INTERRUPTED"),
        replace(trial(4, 0.4, "PRUNED"), state="RUNNING"),
    ]
    rebuilt, _ = as_optuna(made, SPACE)
    states = [one.state.name for one in rebuilt.trials]
    assert states == ["COMPLETE", "PRUNED", "FAIL", "FAIL", "FAIL"]
    assert len(plots.comparable(rebuilt)[0].trials) == 4  # all but the one that measured nothing


def test_a_space_that_was_changed_since(study: StudyRecord) -> None:
    """Wider bounds are kept; other parameters are not."""
    outside = trial(30, 0.9, lr=1.0, width=100, loss="huber")
    other = replace(trial(31, 0.9), params={"lr": 0.01})
    found = compute_parameters(replace(study, trials=(*study.trials, outside, other)), SPACE)
    assert found.strangers == 1
    assert found.space["lr"].high == 1.0  # type: ignore[attr-defined]
    assert found.space["loss"].choices == ("l1", "l2", "huber")  # type: ignore[attr-defined]
    assert widened(SPACE, [])["lr"] == SPACE["lr"]
    assert widened(SPACE, [outside])["width"] == IntDistribution(16, 100)


def test_what_was_held_fixed_is_no_parameter(study: StudyRecord) -> None:
    fixed = tuple(replace(t, params={**t.params, "width": 16}) for t in study.trials)
    found = compute_parameters(replace(study, trials=fixed), SPACE)
    assert found.held == {"width": 16}
    assert set(found.space) == {"lr", "loss"}


def test_drawings(study: StudyRecord) -> None:
    found = compute_parameters(study, SPACE)
    figure, axes = style.axes(1, 4)
    draw_importance(axes[0], found)
    for axis, name in zip(axes[1:4], found.space, strict=True):
        draw_slice(axis, found, name)
    written = [text.get_text() for text in axes[0].texts]
    assert written == [f"{share:.2f}" for share in reversed(found.importance.values())]
    assert [axis.get_xlabel() for axis in axes[1:4]] == list(found.space)
    (slice_,) = [axis for axis in axes if axis.get_xlabel() == "lr"]
    assert slice_.get_xscale() == "log"
    points = np.sort(np.concatenate([line.get_xdata() for line in slice_.lines[:-1]]))
    np.testing.assert_allclose(points, np.sort([p["lr"] for p in found.params]))
    assert slice_.lines[-1].get_marker() == "*"
    style.close(figure)


def test_a_trial_far_below_stands_on_the_edge(study: StudyRecord) -> None:
    lost = trial(30, 0.12, lr=0.05)
    found = compute_parameters(replace(study, trials=(*study.trials, lost)), SPACE)
    figure, (axis,) = style.axes()
    draw_slice(axis, found, "lr")
    assert "v" in [line.get_marker() for line in axis.lines]
    assert axis.get_ylim()[0] > 0.05
    style.close(figure)


def test_composed_figures(study: StudyRecord) -> None:
    for few in (study, replace(study, trials=tuple(trials(5)))):
        found = compute_parameters(few, SPACE)
        canvas = parameters_figure(found)
        shown = [axis for axis in canvas.axes if axis.get_visible()]
        assert len(shown) == len(found.space) + bool(found.importance)
        assert all(axis.get_xlabel() for axis in shown)
        assert any(axis.get_ylabel() for axis in shown)
        style.close(canvas)


def test_equal_accuracies_can_be_drawn(study: StudyRecord) -> None:
    level = tuple(trial(n, 0.5, lr=10.0 ** -(1 + n % 3)) for n in range(12))
    found = compute_parameters(replace(study, trials=level), SPACE)
    canvas = parameters_figure(found)
    canvas.canvas.draw()
    style.close(canvas)


def test_optuna_is_quiet(study: StudyRecord, capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.set_verbosity(optuna.logging.INFO)
    compute_parameters(study, SPACE)
    assert not capfd.readouterr().err

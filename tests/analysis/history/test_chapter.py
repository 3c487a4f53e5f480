"""The searches: what is counted, drawn and said, for every state a trial can end in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analysis import history, style
from analysis.document import Table
from analysis.history.budget import row_of
from analysis.history.trials import (
    STATES,
    compute_history,
    draw_curves,
    draw_history,
    floor_of,
    history_figure,
)
from analysis.records import Findings, PipelineRecord, StudyRecord, TrialRecord
from tests.analysis.blocks import figures, words

Only = Callable[..., Findings]
Unfinished = Callable[[PipelineRecord], PipelineRecord]


def trial(number: int, state: str, *values: float, params: dict[str, object] | None = None):  # type: ignore[no-untyped-def]
    """A trial measured after each epoch."""
    curve = dict(enumerate(values, start=1))
    return TrialRecord(
        number=number,
        state=state,
        run_id=f"run-{number}",
        value=values[-1] if values else None,
        params=params or {"width": 16, "lr": 0.001 * (number + 1)},
        curve=curve,
        loss=dict.fromkeys(curve, 1.0),
        seconds=3600.0,
    )


TRIALS = (
    trial(0, "COMPLETE", 0.5, 0.7),
    trial(1, "PRUNED", 0.4),
    trial(2, "COMPLETE", 0.5, 0.6),
    trial(3, "FAIL"),
    trial(4, "COMPLETE", 0.6, 0.8),
    trial(5, "RUNNING", 0.65),
)


@pytest.fixture
def study(findings: Findings) -> StudyRecord:
    (found,) = findings.records["mnist_supervised"].studies
    return replace(found, trials=TRIALS, epochs=2, rungs=(1,))


def test_history(study: StudyRecord) -> None:
    found = compute_history(study)
    np.testing.assert_array_equal(found.best, [0.7, 0.7, 0.7, 0.7, 0.8, 0.8])
    np.testing.assert_array_equal(found.values, [0.7, 0.4, 0.6, np.nan, 0.8, 0.65])
    assert found.states[5] == "INTERRUPTED"  # a killed search left it open
    assert [found.states.count(state) for state in STATES] == [3, 1, 1, 1]
    epochs, values = found.curves[4]
    assert (epochs.tolist(), values.tolist()) == ([1, 2], [0.6, 0.8])


def test_the_best_of_a_search_without_complete_trials(study: StudyRecord) -> None:
    found = compute_history(replace(study, trials=TRIALS[1:2] + TRIALS[3:4]))
    assert np.isnan(found.best).all()
    style.close(history_figure(found))
    assert len(compute_history(replace(study, trials=())).numbers) == 0


def test_a_few_trials_gone_wrong_do_not_flatten_the_rest() -> None:
    values = np.array([0.98, 0.97, 0.985, 0.96, 0.975, 0.1, np.nan])
    assert 0.8 < floor_of(values) < 0.96
    assert floor_of(np.array([0.5, 0.6, 0.7])) == 0.5
    assert floor_of(np.array([np.nan])) == 0


def test_states_differ_in_colour_and_in_marker(study: StudyRecord) -> None:
    looks = STATES.values()
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == 4
    figure, (left, right) = style.axes(1, 2)
    draw_history(left, compute_history(study))
    draw_curves(right, compute_history(study))
    markers = {line.get_marker() for line in left.lines}
    assert {look.marker for look in looks} <= markers
    assert "rung 1" in [text.get_text() for text in right.texts]
    style.close(figure)


def test_a_value_below_the_axis_is_written_down(study: StudyRecord) -> None:
    figure, (axis,) = style.axes()
    values = (0.98, 0.97, 0.985, 0.96, 0.975, 0.97, 0.1)
    trials = tuple(trial(number, "COMPLETE", value) for number, value in enumerate(values))
    draw_history(axis, compute_history(replace(study, trials=trials)))
    assert [text.get_text() for text in axis.texts] == ["0.10"]
    assert axis.get_ylim()[0] > 0.5
    style.close(figure)


# What it cost -----------------------------------------------------------------------------------


def test_budget(findings: Findings, study: StudyRecord) -> None:
    record = findings.records["mnist_supervised"]
    found = row_of(replace(record, studies=(study, study)))
    assert found[1:8] == (2, 12, 6, 2, 2, 2, 2 * (2 + 1 + 2 + 0 + 2 + 1)), "searches to epochs"
    assert found[8:10] == (pytest.approx(12), pytest.approx(2 * study.seconds / 3600, abs=1e-4))
    rows = [r for r in (record.result or {})["rows"] if "time/train_seconds" in r["metrics"]]
    seconds = sum(sum(row["metrics"]["time/train_seconds"]) for row in rows)
    assert found[10:] == (pytest.approx(seconds / 3600), "cpu")


def test_shared_trainings_cost_once(findings: Findings, unfinished: Unfinished) -> None:
    """The defaults may be the champion; and without a rerun there is no such cost."""
    record = findings.records["mnist_supervised"]
    assert record.result is not None
    champion = record.result["rows"][0]
    twice = {**record.result, "rows": [champion, {**champion, "name": "defaults"}]}
    seconds = sum(champion["metrics"]["time/train_seconds"])
    assert row_of(replace(record, result=twice))[10] == pytest.approx(seconds / 3600)
    assert row_of(unfinished(record))[10] is None


# The section ------------------------------------------------------------------------------------


def test_section(findings: Findings) -> None:
    section = history.section(findings)
    assert section.id == "search" and section.title == "The search"
    drawn = figures(section)
    for name in findings.records:
        assert {f"search_{name}", f"parameters_{name}"} <= set(drawn)
        assert findings.records[name].studies[0].run_id in drawn[f"search_{name}"].caption
    tables = {block.name: block for block in section.blocks if isinstance(block, Table)}
    assert set(tables) == {"budget", "optimism"}
    assert all(len(table.rows) == 6 for table in tables.values())
    assert tables["budget"].rows[0][2:7] == (12, 5, 4, 2, 1)


@pytest.mark.parametrize("name", ["best_of_many", "search_", "parameters_"])
def test_figures(findings: Findings, only: Only, name: str) -> None:
    few = only(findings, "mnist_contrastive")
    drawn = figures(history.section(few))
    (figure,) = [figure for full, figure in drawn.items() if full.startswith(name)]
    canvas = figure.draw()
    canvas.canvas.draw()
    assert np.asarray(canvas.canvas.buffer_rgba()).std() > 10  # type: ignore[attr-defined]
    shown = [axis for axis in canvas.axes if axis.get_visible()]
    assert any(axis.get_title(loc="left") for axis in shown)
    assert all(axis.get_xlabel() for axis in shown)
    style.close(canvas)


def test_importance_of_few_trials_is_a_hint_or_not_shown(findings: Findings, only: Only) -> None:
    name = "mnist_supervised"
    record = findings.records[name]
    [study] = record.studies
    few = replace(record, studies=(replace(study, trials=study.trials[:6]),))
    for changed, said in (
        (record, "10 trials of 4 parameters are few: read it as a hint."),
        (few, "No importance is shown: it needs 10 trials"),
    ):
        shown = figures(history.section(only(findings, name, **{name: changed})))
        assert said in shown[f"parameters_{name}"].caption


def test_section_of_a_pipeline_without_a_search(findings: Findings, only: Only) -> None:
    """A champion from a file: `rerun.py --config`."""
    record = replace(findings.records["mnist_supervised"], studies=())
    section = history.section(only(findings, "mnist_supervised", mnist_supervised=record))
    assert "no search on the same data" in words(section)
    assert not figures(section)


def test_several_searches(findings: Findings, only: Only, study: StudyRecord) -> None:
    record = findings.records["mnist_supervised"]
    both = replace(record, studies=(study, *record.studies))
    said = words(history.section(only(findings, record.name, mnist_supervised=both)))
    assert "1 more search on the same data" in said
    assert "Held fixed" in said

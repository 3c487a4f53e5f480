"""Studies with limits and with two goals, as the report draws and tells them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.document import Figure, Table
from analysis.history import chapter, front
from analysis.history.trials import compute_history, history_figure
from analysis.records import Findings, PipelineRecord

NAME = "cifar_autoencoder"
# Of each complete trial of the fixture: accuracy, error, whether it is on the front.
VALUES = {0: (0.4, 0.05, True), 2: (0.5, 0.06, True), 5: (0.3, 0.07, False), 7: (0.6, 0.08, True)}


@pytest.fixture(scope="session")
def record(findings: Findings) -> PipelineRecord:
    """A pipeline with its usual study, and one of two goals after it."""
    record = findings.records[NAME]
    usual = record.studies[-1]
    trials = [
        replace(trial, values=values[:2], front=values[2], trial_id=f"id-{trial.number}")
        if (values := VALUES.get(trial.number))
        else replace(trial, state="FAIL")
        for trial in usual.trials
    ]
    tags = {**usual.tags, "goals": "valid/accuracy valid/mae:min"}
    two = replace(usual, name="two", run_id="run-of-two", trials=tuple(trials), tags=tags)
    return replace(record, studies=(two, usual))


def test_a_front_has_a_figure_and_a_table_with_ids(record: PipelineRecord) -> None:
    blocks = front.blocks(record)
    assert front.blocks(replace(record, studies=record.studies[1:])) == [], "it had one goal"
    [figure] = [block for block in blocks if isinstance(block, Figure)]
    [table] = [block for block in blocks if isinstance(block, Table)]
    assert "3 of 4 complete trials" in figure.caption and "run-of-two" in figure.caption
    assert table.columns == ("trial", "valid/accuracy", "valid/mae", "trial_id")
    assert table.rows == ((7, 0.6, 0.08, "id-7"), (2, 0.5, 0.06, "id-2"), (0, 0.4, 0.05, "id-0"))
    [axis] = figure.draw().axes
    [steps] = axis.lines
    assert steps.get_xydata().tolist() == [[0.4, 0.05], [0.5, 0.06], [0.6, 0.08]]
    assert {note.get_text() for note in axis.texts} == {"0", "2", "7"}
    assert axis.get_ylabel() == "valid/mae (smaller is better)"


def test_trials_beyond_a_limit_are_crossed_out_and_never_best(record: PipelineRecord) -> None:
    _, usual = record.studies
    best = usual.complete[0]
    trials = tuple(replace(t, feasible=t.number != best.number) for t in usual.trials)
    tags = {**usual.tags, "limits": "valid/mae<=0.05"}
    limited = replace(usual, trials=trials, tags=tags)
    assert best.number not in {trial.number for trial in limited.complete}
    history = compute_history(limited)
    assert history.numbers[history.beyond].tolist() == [best.number]
    assert max(history.best[~(history.best != history.best)]) < (best.value or 0.0)
    crosses = [line for line in history_figure(history).axes[0].lines if line.get_marker() == "x"]
    assert [line.get_xydata().tolist() for line in crosses] == [[[best.number, best.value]]]
    story = chapter._story(record, limited, history)
    assert "1 of the complete ones are beyond a limit (valid/mae<=0.05)" in story

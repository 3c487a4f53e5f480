"""The best of many trials: order statistics against brute force over all subsets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from analysis import style
from analysis.document import Table
from analysis.history.selection import (
    blocks,
    compute_selection,
    expected_maximum,
    selection_figure,
)
from analysis.records import Findings, PipelineRecord, TrialRecord

VALUES = [0.61, 0.7, 0.55, 0.7, 0.9, 0.2, 0.66]


def test_expected_maximum_against_all_subsets() -> None:
    found = expected_maximum(VALUES)
    for k in range(1, len(VALUES) + 1):
        every = [max(subset) for subset in combinations(VALUES, k)]
        assert found[k - 1] == pytest.approx(np.mean(every))


def test_expected_maximum_at_its_ends() -> None:
    assert expected_maximum([]).shape == (0,)
    assert expected_maximum([0.3]).tolist() == [0.3]
    np.testing.assert_allclose(expected_maximum([0.5] * 9), 0.5)


def test_expected_maximum_of_many() -> None:
    """Ranks 1 .. n: (n + 1) k / (k + 1); and nothing overflows."""
    n = 400
    k = np.arange(1, n + 1)
    np.testing.assert_allclose(expected_maximum(np.arange(1, n + 1)), (n + 1) * k / (k + 1))


def test_a_selection(findings: Findings) -> None:
    record = findings.records["cifar_contrastive"]
    (study,) = record.studies
    found = compute_selection(record, study)
    complete = [t.value for t in study.trials if t.state == "COMPLETE"]
    assert found.values.tolist() == sorted(complete)
    assert found.best == max(complete)
    assert record.result is not None
    mean = np.mean(record.result["rows"][0]["metrics"]["valid/accuracy"])
    assert found.optimism == pytest.approx(record.result["promised"] - mean)


def test_not_final(
    findings: Findings, unfinished: Callable[[PipelineRecord], PipelineRecord]
) -> None:
    record = unfinished(findings.records["cifar_contrastive"])
    found = compute_selection(record, record.studies[0])
    assert found.optimism is found.promised is None and found.fresh == ()
    nothing = compute_selection(record, None)
    assert nothing.best is None and len(nothing.expected) == 0


def test_the_figure(findings: Findings) -> None:
    found = {r.name: compute_selection(r, r.studies[0]) for r in findings.of("mnist")}
    canvas = selection_figure(found)
    assert [axis.get_title(loc="left") for axis in canvas.axes] == list(found)
    for axis, selection in zip(canvas.axes, found.values(), strict=True):
        curve = axis.lines[0]
        np.testing.assert_allclose(curve.get_ydata(), selection.expected)
        assert selection.promised is not None
        assert axis.get_ylim()[0] <= min(selection.fresh)
        assert axis.get_ylim()[1] >= selection.promised
    style.close(canvas)


def test_what_was_searched_for_another_metric_promised_no_accuracy(findings: Findings) -> None:
    one, other = findings.of("mnist")[:2]
    bound = replace(one, pipeline=replace(one.pipeline, metric="valid/elbo"))
    content = blocks([bound, other], {record.name: record.studies[0] for record in (one, other)})
    table = next(block for block in content if isinstance(block, Table))
    assert [row[0] for row in table.rows] == [other.name]


def test_the_defaults_trial(findings: Findings) -> None:
    """Found by its parameters, whatever the search held fixed, and however it ended."""
    record = findings.records["mnist_supervised"]
    [study] = record.studies
    held = {**record.pipeline.defaults, "width": 16}
    first, second = study.complete[:2]
    trials = (
        replace(first, params={**held, "lr": held["lr"] * 2}),
        replace(second, params=held),
    )

    def shown(*trials: TrialRecord) -> object:
        content = blocks([record], {record.name: replace(study, trials=trials)})
        [table] = [block for block in content if isinstance(block, Table)]
        return table.rows[0][2]

    assert shown(*trials) == second.value
    assert shown(trials[0], replace(trials[1], state="PRUNED")) == f"{second.value:.4f} (pruned)"
    assert shown(trials[0]) is shown() is None

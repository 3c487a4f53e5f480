"""The best of many trials: order statistics against brute force over all subsets."""

from __future__ import annotations

import math
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
    luck,
    selection_figure,
)
from analysis.records import Findings, PipelineRecord

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


def test_luck() -> None:
    """Known moments of normal order statistics: 0, 1 / sqrt pi, 3 / (2 sqrt pi)."""
    assert luck(1) == pytest.approx(0, abs=1e-9)
    assert luck(2) == pytest.approx(1 / math.sqrt(math.pi))
    assert luck(3) == pytest.approx(1.5 / math.sqrt(math.pi))
    draws = np.random.default_rng(0).normal(size=(20_000, 20)).max(1)
    assert luck(20) == pytest.approx(draws.mean(), abs=0.02)  # 5 standard errors; the draw is fixed
    with pytest.raises(ValueError):
        luck(0)


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
    spread = np.std(found.fresh, ddof=1)
    assert found.luck == pytest.approx(luck(len(complete)) * spread)


def test_not_final(
    findings: Findings, unfinished: Callable[[PipelineRecord], PipelineRecord]
) -> None:
    record = unfinished(findings.records["cifar_contrastive"])
    found = compute_selection(record, record.studies[0])
    assert found.optimism is found.promised is found.luck is None and found.fresh == ()
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

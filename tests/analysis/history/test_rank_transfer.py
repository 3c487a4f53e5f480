"""Short search against long training: rank correlation by hand and by all orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from analysis.history.rank_transfer import blocks, compute_carrying
from analysis.records import Findings, PipelineRecord


def rows(short: Sequence[float | None], long: Sequence[float]) -> list[dict[str, Any]]:
    pairs = zip(short, ({"valid/accuracy": [v - 0.01, v + 0.01]} for v in long), strict=True)
    return [{"kind": "final", "promised": s, "epochs": 30, "metrics": m} for s, m in pairs]


def test_the_correlation_is_of_ranks_and_its_p_value_of_all_orders() -> None:
    short, long = [0.5, 0.9, 0.6, 0.8, 0.7], [0.51, 0.99, 0.53, 0.52, 0.9]
    found = compute_carrying(rows(short, long))
    assert found is not None and (len(found), found.epochs) == (5, 30)
    ranks = np.argsort(np.argsort(short)), np.argsort(np.argsort(long))
    assert found.rho == pytest.approx(np.corrcoef(*ranks)[0, 1])
    every = [np.corrcoef(ranks[0], order)[0, 1] for order in permutations(range(5))]
    assert found.p == pytest.approx(np.mean([one >= found.rho - 1e-9 for one in every]))
    np.testing.assert_allclose(found.long, long)


def test_an_order_turned_round_and_one_without_any() -> None:
    backward = compute_carrying(rows([0.1, 0.2, 0.3, 0.4], [0.9, 0.8, 0.7, 0.6]))
    assert backward is not None and backward.rho == pytest.approx(-1) and backward.p == 1
    equal = compute_carrying(rows([0.1, 0.2, 0.3, 0.4], [0.9] * 4))
    assert equal is not None and np.isnan(equal.rho) and equal.p == 1


def test_few_configurations_and_those_that_nobody_searched_are_not_judged() -> None:
    assert compute_carrying(rows([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])) is None
    assert compute_carrying(rows([0.1, 0.2, 0.3, None], [0.1, 0.2, 0.3, 0.4])) is None


def test_the_report_says_it_where_enough_was_trained_again(
    findings: Findings, only: Callable[..., Findings]
) -> None:
    record = findings.records["mnist_supervised"]
    studies = {record.name: record.studies[0]}
    assert blocks([record], studies) == [], "two configurations only"
    many: PipelineRecord = replace(
        record, result={**(record.result or {}), "rows": rows([0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4])}
    )
    _, told, figure = blocks([many], studies)
    assert "4 configurations trained again for 30 epochs" in str(told)
    assert "+1.00 (Spearman's, p = 0.042)" in str(told), "one order of 24"
    assert len(getattr(figure, "draw")().axes) >= 1  # noqa: B009

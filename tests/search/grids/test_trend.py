"""Trends along a line, on made-up numbers whose answer is plain."""

from __future__ import annotations

import pytest

from search.grids.results import GridResult, GridRow, between, shown
from search.grids.trend import trend


def rows(*values: float, spread: float = 0.001) -> list[GridRow]:
    """Places 2, 4, 8, ... with three seeds each, `spread` apart."""
    return [
        GridRow(
            line="a",
            x=2.0 ** (place + 1),
            pipeline="p",
            dataset="mnist",
            changes={},
            cells=("1", "2", "3"),
            seeds=(1, 2, 3),
            metrics={"m": [value - spread, value, value + spread]},
        )
        for place, value in enumerate(values)
    ]


def test_a_line_that_rises_to_its_end() -> None:
    found = trend(rows(0.5, 0.7, 0.8, 0.9), "m", slack=0.005)
    assert (found.best.x, found.enough.x, found.last.x) == (16, 16, 16)
    assert (found.saturates, found.falls) == (False, False)


def test_a_line_that_saturates() -> None:
    found = trend(rows(0.5, 0.897, 0.899, 0.9), "m", slack=0.005)
    assert (found.best.x, found.enough.x) == (16, 4)
    assert (found.saturates, found.falls) == (True, False)


def test_a_line_that_falls_at_the_end() -> None:
    found = trend(rows(0.5, 0.9, 0.95, 0.8), "m", slack=0.005)
    assert (found.best.x, found.enough.x) == (8, 8)
    assert found.falls
    assert found.loss.mean == pytest.approx(0.15)


def test_a_fall_within_the_noise_is_not_shown() -> None:
    noisy = rows(0.5, 0.9, 0.91, 0.905)
    swapped = GridRow(
        **{**vars(noisy[-1]), "metrics": {"m": [0.93, 0.89, 0.895]}}  # in another order of seeds
    )
    assert not trend([*noisy[:-1], swapped], "m", slack=0.001).falls


def test_less_is_better_where_it_is() -> None:
    found = trend(rows(0.5, 0.2, 0.1, 0.1004), "m", slack=0.001, lower=True)
    assert (found.best.x, found.enough.x) == (8, 8)
    assert found.loss.mean == pytest.approx(0.0004)


def test_one_place_has_no_trend() -> None:
    with pytest.raises(ValueError, match="two places, not 1"):
        trend(rows(0.5), "m", slack=0.1)


def test_a_difference_is_shown_when_its_interval_leaves_out_zero() -> None:
    assert shown(between([0.9, 0.91, 0.92], [0.8, 0.81, 0.82]))
    assert not shown(between([0.9, 0.7, 0.92], [0.8, 0.81, 0.82]))
    assert not shown(between([0.9], [0.1])), "one seed shows nothing"


def test_an_outcome_survives_json() -> None:
    outcome = GridResult(
        name="x",
        rows=tuple(rows(0.1, 0.2)),
        quick=True,
        mini=False,
        train_size={"mnist": 10},
        epochs={"p": 1},
        failures={"a": "b"},
    )
    again = GridResult.from_json(outcome.to_json())
    assert again == outcome
    assert list(again.lines) == ["a"]
    assert [row.x for row in again.lines["a"]] == [2, 4]
    assert again.seeds == 3

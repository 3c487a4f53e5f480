"""The numbers of a finished grid, and how they are read off."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.cells.statistics import Estimate, estimate
from search.spaces.pipeline import Scalar

OUTCOME = "outcome.json"  # the artifact of a sweep's run


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """A point of the grid with all its seeds.

    Attributes:
        line, x, pipeline, changes: as in `Point`.
        cells, seeds: one a training.
        metrics: name -> a value a seed.
        measured: what the sweep's `measure` returned, one a seed; empty without it.
    """

    line: str
    x: float
    pipeline: str
    dataset: str
    changes: Mapping[str, Scalar]
    cells: tuple[str, ...]
    seeds: tuple[int, ...]
    metrics: Mapping[str, Sequence[float]]
    measured: Sequence[Mapping[str, Any]] = ()

    def estimate(self, metric: str) -> Estimate | None:
        """Mean and 95 % interval over seeds, None where it was not measured."""
        values = self.metrics.get(metric)
        return estimate(values) if values else None

    def mean(self, metric: str) -> float:
        """Mean over seeds.

        Raises:
            KeyError: it was not measured.
        """
        return estimate(self.metrics[metric]).mean


@dataclass(frozen=True, kw_only=True)
class GridResult:
    """The results of a sweep.

    Attributes:
        rows: in the grid's order.
        quick: whether the grid was the reduced one.
        mini: whether the data is a stand-in.
        train_size: training images by data set.
        epochs: of the trainings, by pipeline.
        failures: what could not be trained, and why.
    """

    name: str
    rows: tuple[GridRow, ...]
    quick: bool
    mini: bool
    train_size: Mapping[str, int]
    epochs: Mapping[str, int]
    failures: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def lines(self) -> dict[str, list[GridRow]]:
        """Line -> its rows along the axis, lines in the grid's order."""
        by_line: dict[str, list[GridRow]] = {}
        for row in self.rows:
            by_line.setdefault(row.line, []).append(row)
        return {line: sorted(rows, key=lambda row: row.x) for line, rows in by_line.items()}

    @property
    def seeds(self) -> int:
        """The most trainings that a point has."""
        return max((len(row.seeds) for row in self.rows), default=0)

    def to_json(self) -> dict[str, Any]:
        """Everything, plain."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> GridResult:
        """The inverse of `to_json`."""
        rows = tuple(
            GridRow(**{**row, "cells": tuple(row["cells"]), "seeds": tuple(row["seeds"])})
            for row in values["rows"]
        )
        return cls(**{**values, "rows": rows})


def between(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Mean and interval of one - other, paired by seed; of unequally many the first are paired."""
    return estimate([a - b for a, b in zip(one, other, strict=False)])


def at_sizes(rows: Sequence[GridRow], metric: str, digits: int) -> str:
    """`0.25 at d = 2, 0.5 at d = 8`: the means along a line whose axis is the latent size d."""
    return ", ".join(f"{row.mean(metric):.{digits}f} at d = {row.x:g}" for row in rows)


def shown(difference: Estimate) -> bool:
    """Whether the interval leaves out zero; one seed shows nothing."""
    if difference.low is None or difference.high is None:
        return False
    return difference.low > 0 or difference.high < 0

"""How a metric runs along a line: where it is best, whether it saturates, whether it falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.cells.statistics import Estimate
from search.grids.results import GridRow, between, shown


@dataclass(frozen=True, kw_only=True)
class Trend:
    """A line of a figure in numbers.

    Attributes:
        first, best, last: rows: the leftmost, the best by its mean, the rightmost.
        enough: the leftmost row that is within `slack` of the best.
        loss: what the best row has over the last, by seed.
        slack: a difference that does not matter.
    """

    first: GridRow
    best: GridRow
    last: GridRow
    enough: GridRow
    loss: Estimate
    slack: float

    @property
    def saturates(self) -> bool:
        """Whether something to the left of the rightmost place is as good within the slack."""
        return self.enough.x < self.last.x

    @property
    def falls(self) -> bool:
        """Whether the rightmost place is shown to be worse than the best, by more than slack."""
        return shown(self.loss) and self.loss.mean > self.slack


def trend(rows: Sequence[GridRow], metric: str, *, slack: float, lower: bool = False) -> Trend:
    """The trend of `metric` along `rows`, which are in the order of `x`.

    Args:
        lower: whether less is better.

    Raises:
        ValueError: fewer than two rows.
    """
    if len(rows) < 2:
        raise ValueError(f"a trend needs two places, not {len(rows)}")
    sign = -1 if lower else 1

    def values(row: GridRow) -> list[float]:
        return [sign * value for value in row.metrics[metric]]

    best = max(rows, key=lambda row: sign * row.mean(metric))
    near = sign * best.mean(metric) - slack
    return Trend(
        first=rows[0],
        best=best,
        last=rows[-1],
        enough=next(row for row in rows if sign * row.mean(metric) >= near),
        loss=between(values(best), values(rows[-1])),
        slack=slack,
    )

"""Whether the order that a short search finds is the order after long training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas
from scipy import stats

from analysis import style
from analysis.document import Block, Bullets, Figure, Heading
from analysis.records import PipelineRecord, StudyRecord
from search.spaces.pipeline import METRIC

ENOUGH = 4  # configurations; a rank correlation of fewer shows no order


@dataclass(frozen=True, kw_only=True)
class Carrying:
    """The same configurations searched short and trained long.

    Attributes:
        short: (n,) `valid/accuracy` in the search.
        long: (n,) the mean of `valid/accuracy` over the rerun's fresh seeds.
        epochs: of the rerun.
        rho: Spearman's rank correlation of the two; nan where all values of one are equal.
        p: of a correlation as high, if the order were random: exact up to eight configurations,
            from 9,999 permutations of a fixed seed above.
    """

    short: np.ndarray
    long: np.ndarray
    epochs: int
    rho: float
    p: float

    def __len__(self) -> int:
        return len(self.short)

    def __str__(self) -> str:
        return (
            f"{len(self)} configurations trained again for {self.epochs} epochs: rank "
            f"correlation with the search {self.rho:+.2f} (Spearman's, p = {self.p:.3f})"
        )


def compute_carrying(rows: Sequence[Mapping[str, Any]]) -> Carrying | None:
    """Compute it from a rerun's rows; None below `ENOUGH` searched configurations."""
    pairs = [
        (float(row["promised"]), float(np.mean(row["metrics"][METRIC])))
        for row in rows
        if row["kind"] == "final" and row.get("promised") is not None
    ]
    if len(pairs) < ENOUGH:
        return None
    short, long = np.array(pairs).T
    rho, p = _spearman(short, long)
    return Carrying(short=short, long=long, epochs=int(rows[0]["epochs"]), rho=rho, p=p)


def _spearman(short: np.ndarray, long: np.ndarray) -> tuple[float, float]:
    """Rank correlation, and the share of orders that correlate as much or more."""
    if np.ptp(short) == 0 or np.ptp(long) == 0:
        return float("nan"), 1.0
    ranks = stats.rankdata(short), stats.rankdata(long)
    test = stats.permutation_test(
        (ranks[0],),
        lambda one: np.corrcoef(one, ranks[1])[0, 1],
        permutation_type="pairings",
        alternative="greater",
        vectorized=False,
        n_resamples=41_000 if len(short) <= 8 else 9_999,  # 8! = 40,320: all of them
        rng=np.random.default_rng(0),
    )
    return float(test.statistic), float(test.pvalue)


def carrying_figure(carryings: Mapping[str, Carrying], epochs: Mapping[str, int]) -> Canvas:
    """A panel a pipeline: in the search against long training, a point a configuration."""
    figure, axes = style.panels(len(carryings), 3, height=2.6, more=0.3)
    for place, (axis, (name, carrying)) in enumerate(zip(axes, carryings.items(), strict=True)):
        axis.plot(carrying.short, carrying.long, "o", color=style.colour_of(name), ms=5)
        axis.set_title(name, fontsize=9)
        axis.set_xlabel(f"in the search, {epochs[name]} epochs")
        axis.set_ylabel("" if place % 3 else "trained again (share)")
    return figure


def blocks(
    records: Sequence[PipelineRecord], studies: Mapping[str, StudyRecord | None]
) -> list[Block]:
    """A line a pipeline and the picture; nothing where no rerun trained enough again."""
    carryings = {
        record.name: carrying
        for record in records
        if record.result and (carrying := compute_carrying(record.result["rows"]))
    }
    if not carryings:
        return []
    epochs = {name: study.epochs if (study := studies[name]) else 0 for name in carryings}
    return [
        Heading("Does the order of a short search hold?"),
        Bullets(tuple(f"{name}: {carrying}." for name, carrying in carryings.items())),
        Figure(
            name="short_and_long",
            title="Searched short, trained long",
            caption="Validation accuracy of each configuration in the search (one training) "
            "against the mean of its trainings afterwards. The best of a search stand closer "
            "together than all of its trials, so the correlation over them is lower than over the "
            "whole space.",
            draw=lambda: carrying_figure(carryings, epochs),
        ),
    ]

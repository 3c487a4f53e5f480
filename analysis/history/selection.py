"""What a search brought, and the optimism of choosing the best of many trials.

The best of many noisy values promises more than it keeps. This module computes what the best of k
trials may be expected to show, and what the champion kept of it with fresh seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.document import Block, Cell, Figure, Heading, Table, heads
from analysis.records import PipelineRecord, StudyRecord, TrialRecord, same
from analysis.sentences import points
from search.cells.metrics import TEST
from search.spaces.pipeline import METRIC
from trainers.protocol import version_of


def expected_maximum(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """(n,) values -> (n,): at k - 1 the mean of the maximum over all subsets of k of them.

    Exact: the i-th smallest is the maximum of C(i - 1, k - 1) of the C(n, k) subsets (order
    statistics of draws without replacement; compare Dodge et al., 2019, "Show Your Work", equation
    4, where draws are with replacement).
    """
    ordered = np.sort(np.asarray(values, dtype=float))[::-1]  # the largest first
    n = len(ordered)
    ranks = np.arange(n, 0, -1.0)
    expected = []
    for k in range(1, n + 1):
        # C(i - 1, k - 1) / C(n, k) is k / n for i = n, and shrinks by (i - k) / (i - 1) a step.
        steps = np.clip(ranks[:-1] - k, 0, None) / (ranks[:-1] - 1)
        weights = k / n * np.cumprod([1.0, *steps])
        expected.append(float(weights @ ordered))
    return np.array(expected)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A pipeline's choice among its complete trials.

    Attributes:
        values: (n,) `valid/accuracy` of the complete trials of one study, sorted upwards.
        expected: (n,) expected maximum of a random subset of k + 1 of them; never falls.
        promised: of the champion in its search; None where nothing is final.
        fresh: the champion's `valid/accuracy` with fresh seeds, () where nothing is final.
        optimism: promised minus the mean of `fresh`.
        gap: the champion's mean accuracy on validation images minus that on test images.
        readings: how often the test set was read by this protocol for the pipeline's reruns.
        defaults: the study's trial of the defaults, None if it did not try them.
    """

    values: np.ndarray
    expected: np.ndarray
    promised: float | None
    fresh: tuple[float, ...]
    optimism: float | None
    gap: float | None = None
    readings: int | None = None
    defaults: TrialRecord | None = None

    @property
    def best(self) -> float | None:
        """The best complete value."""
        return float(self.values[-1]) if len(self.values) else None


def compute_selection(record: PipelineRecord, study: StudyRecord | None) -> Selection:
    """Compute it from a study's complete trials and the rerun, where there is one."""
    values = np.sort([t.value or 0.0 for t in study.complete] if study else []).astype(float)
    result = record.result or {}
    metrics = result["rows"][0]["metrics"] if result else {}
    champion, test = metrics.get(METRIC, []), metrics.get(TEST, [])
    return Selection(
        values=values,
        expected=expected_maximum(values),
        promised=result.get("promised"),
        fresh=tuple(champion),
        optimism=result.get("optimism"),
        gap=float(np.mean(champion) - np.mean(test)) if champion and test else None,
        readings=result.get("readings", {}).get(str(version_of(result))) if result else None,
        defaults=_defaults_trial(study.trials, record) if study and study.trials else None,
    )


def _defaults_trial(trials: Sequence[TrialRecord], record: PipelineRecord) -> TrialRecord | None:
    """The trial that had the defaults, except values that the search held fixed (`--set`)."""
    tried = {name: {str(trial.params.get(name)) for trial in trials} for name in trials[0].params}
    free = [name for name, values in tried.items() if len(values) > 1]
    defaults = record.pipeline.defaults
    for trial in trials if free else ():
        if all(same(trial.params.get(name), defaults.get(name)) for name in free):
            return trial
    return None


def draw_selection(axis: Axes, name: str, selection: Selection) -> None:
    """Expected best of k trials, the complete trials themselves, and what fresh seeds gave."""
    n = len(selection.values)
    colour = style.colour_of(name)
    counts = np.arange(1, n + 1)
    axis.plot(counts, selection.expected, "-o", color=colour, ms=3.5, zorder=3)
    axis.plot(np.full(n, 0.45), selection.values, "_", color="0.35", ms=7, zorder=2)
    if selection.promised is not None:
        axis.plot([n], [selection.promised], "^", color="black", ms=6, zorder=4, clip_on=False)
    if selection.fresh:
        mean = float(np.mean(selection.fresh))
        axis.axhline(mean, color="black", lw=1.1, ls="--", zorder=1)
        axis.plot(np.full(len(selection.fresh), n + 0.4), selection.fresh, "x", color="black", ms=5)
    axis.set_xlim(0.2, n + 0.8)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_title(name, fontsize=9)
    axis.set(xlabel="complete trials to choose from")


def selection_figure(selections: Mapping[str, Selection]) -> Canvas:
    """A panel a pipeline."""
    figure, axes = style.panels(len(selections), 3, height=2.5)
    for axis, (name, selection) in zip(axes, selections.items(), strict=True):
        draw_selection(axis, name, selection)
    for axis in axes[::3]:
        axis.set_ylabel("validation accuracy (share)")
    return figure


def blocks(
    records: Sequence[PipelineRecord], studies: Mapping[str, StudyRecord | None]
) -> list[Block]:
    """The picture and the table."""
    ranked = [r for r in records if r.pipeline.metric == METRIC]  # as trials were chosen
    selections = {r.name: compute_selection(r, studies[r.name]) for r in ranked}
    drawn = {name: one for name, one in selections.items() if len(one.values)}
    content: list[Block] = [Heading("What the search brought, and what was kept of it")]
    if drawn:
        content.append(
            Figure(
                name="best_of_many",
                title="The best of many trials",
                caption="Line: the expected best of k complete trials drawn at random from those "
                "of the search, exact from order statistics; dashes at the left: the trials "
                "themselves. Where there are final numbers, triangle: what the champion's trial "
                "had promised; crosses and dashed line: the champion with fresh seeds, their mean.",
                draw=lambda: selection_figure(drawn),
            )
        )
    content.append(
        Table(
            name="optimism",
            title="What was promised, and what was kept",
            caption="Validation accuracy; differences in points. Defaults: as tried in the search, "
            "but for what it held fixed. Promised: the champion's value in its search. Kept: its "
            "mean with fresh seeds. Validation - test: of the champion's means. Test readings: "
            "trainings, baselines too, that the reruns measured on the test set.",
            columns=heads(
                "pipeline | complete trials | defaults | mean of trials | best trial | promised "
                "| kept | seeds | optimism | validation - test | test readings"
            ),
            rows=tuple(_row(name, selection) for name, selection in selections.items()),
        )
    )
    return content


def _row(name: str, selection: Selection) -> tuple[Cell, ...]:
    n = len(selection.values)
    defaults: Cell = None
    if selection.defaults and selection.defaults.value is not None:
        trial = selection.defaults
        ended = trial.state == "COMPLETE"
        defaults = trial.value if ended else f"{trial.value:.4f} ({trial.state.lower()})"
    return (
        name,
        n,
        defaults,
        float(selection.values.mean()) if n else None,
        selection.best,
        selection.promised,
        float(np.mean(selection.fresh)) if selection.fresh else None,
        len(selection.fresh) or None,
        *(None if d is None else points(d) for d in (selection.optimism, selection.gap)),
        selection.readings,
    )

"""The cost of each pipeline's search, so that unequal effort shows: trials, epochs, hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from analysis import style
from analysis.document import Block, Figure, Heading, Paragraph, Table, heads
from analysis.history.trials import STATES
from analysis.records import SIX, PipelineRecord
from analysis.sentences import duration


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The cost of a pipeline, over all its searches on the same data.

    Attributes:
        studies: how many searches.
        trials: state -> how many.
        epochs: epochs trained, all trials together.
        trial_hours: training and evaluation, trial by trial, hours.
        wall_hours: of the searches, in which trials run side by side, hours; 0 where no search
            ended.
        final_hours: training behind the final numbers, hours; None where nothing is final.
        devices: those that the searches ran on.
    """

    studies: int
    trials: Mapping[str, int]
    epochs: int
    trial_hours: float
    wall_hours: float
    final_hours: float | None
    devices: tuple[str, ...]

    @property
    def total(self) -> int:
        """All trials."""
        return sum(self.trials.values())


def compute_budget(record: PipelineRecord) -> Budget:
    """Sum over all studies of the pipeline on the same data, and over its final runs."""
    every = [trial for study in record.studies for trial in study.trials]
    states = Counter(t.state if t.state in STATES else "INTERRUPTED" for t in every)
    devices = {study.params.get("device", "unknown") for study in record.studies}
    return Budget(
        studies=len(record.studies),
        trials={state: states[state] for state in STATES},
        epochs=sum(len(trial.loss) for trial in every),
        trial_hours=sum(trial.seconds for trial in every) / 3600,
        wall_hours=sum(study.seconds for study in record.studies) / 3600,
        final_hours=_final_hours(record),
        devices=tuple(sorted(devices)),
    )


def _final_hours(record: PipelineRecord) -> float | None:
    if record.result is None:
        return None
    seconds: dict[str, float] = {}  # by cell: the defaults may be the champion
    for row in record.result["rows"]:
        spent = row["metrics"].get("time/train_seconds", [])
        seconds |= dict(zip(row["cells"], spent, strict=False))
    return sum(seconds.values()) / 3600


def draw_trials(axis: Axes, budgets: Mapping[str, Budget]) -> None:
    """Trials by state, stacked, a bar a pipeline."""
    names = list(budgets)[::-1]
    ends = np.zeros(len(names))
    for state, look in STATES.items():
        counts = np.array([budgets[name].trials[state] for name in names])
        if counts.any():
            bars = axis.barh(names, counts, left=ends, height=0.68, label=look.word)
            for bar in bars:
                bar.set(facecolor=look.colour, hatch=look.hatch, edgecolor="white")
        ends += counts
    axis.grid(False, axis="y")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(title="Trials by state", xlabel="trials", ylabel="pipeline")


def draw_hours(axis: Axes, budgets: Mapping[str, Budget]) -> None:
    """Hours of all trials together, and epochs written beside them, a bar a pipeline."""
    names = list(budgets)[::-1]
    hours = [budgets[name].trial_hours for name in names]
    axis.barh(names, hours, color="0.45", height=0.68)
    for row, name in enumerate(names):
        axis.text(hours[row], row, f" {budgets[name].epochs} epochs", va="center", fontsize=7.5)
    axis.set_xlim(0, 1.32 * max(hours) or 1)
    axis.set_yticklabels([])
    axis.grid(False, axis="y")
    axis.set(title="Time spent in trials", xlabel="hours, summed over trials")


def budget_figure(budgets: Mapping[str, Budget]) -> Canvas:
    """Trials beside hours."""
    figure, (left, right) = style.axes(1, 2, height=0.32 * len(budgets) + 1.5)
    draw_trials(left, budgets)
    draw_hours(right, budgets)
    figure.legend(loc="outside lower center", ncols=len(STATES))
    return figure


def blocks(records: Sequence[PipelineRecord], missing: Mapping[str, str]) -> list[Block]:
    """The table, the figure and a paragraph about them."""
    budgets = {record.name: compute_budget(record) for record in records}
    searched = {name: budget for name, budget in budgets.items() if budget.total}
    content: list[Block] = [Heading("What was spent"), Paragraph(_told(searched, missing))]
    if searched:
        content.append(
            Figure(
                name="effort",
                title="Effort by pipeline",
                caption="Left: trials by state. Right: training and evaluation of all trials "
                "together, in hours, with the epochs that were trained. All searches on the same "
                "data count.",
                draw=lambda: budget_figure(searched),
            )
        )
    content.append(
        Table(
            name="budget",
            title="Budget of each pipeline",
            caption="Hours of trials are summed over trials, wall hours are those of the searches, "
            "in which trials ran side by side; final hours are the training behind the final "
            "numbers, baselines and ablation included. Studies: "
            + "; ".join(f"{s.name} ({s.run_id})" for r in records for s in r.studies)
            + ".",
            columns=heads(
                "pipeline | searches | trials | complete | pruned | failed | interrupted | epochs "
                "| hours of trials | wall hours | final hours | device"
            ),
            rows=tuple(
                (
                    name,
                    budget.studies,
                    budget.total,
                    *(budget.trials[state] for state in STATES),
                    budget.epochs,
                    round(budget.trial_hours, 4),
                    round(budget.wall_hours, 4),
                    budget.final_hours,
                    ", ".join(budget.devices),
                )
                for name, budget in budgets.items()
            ),
        )
    )
    return content


def _told(budgets: Mapping[str, Budget], missing: Mapping[str, str]) -> str:
    absent = [name for name in SIX if name in missing and name not in budgets]
    without = f" No search of {', '.join(absent)} is here." if absent else ""
    if not budgets:
        return f"No search on this data is in the store.{without}"
    trials = sum(budget.total for budget in budgets.values())
    hours = sum(budget.trial_hours for budget in budgets.values())
    text = f"{trials} trials took {duration(3600 * hours)} together."
    if len(budgets) > 1:
        seconds = {name: 3600 * budget.trial_hours for name, budget in budgets.items()}
        least, *_, most = sorted(seconds, key=seconds.__getitem__)
        low, high = seconds[least], seconds[most]
        ratio = f": {high / low:.1f} times as much" if low > 0 else ""
        spent = f"{duration(high)}, {least} the least, {duration(low)}{ratio}"
        text += f" {most} took the most, {spent}."
        counts = {name: budget.total for name, budget in budgets.items()}
        few, many = (choose(counts, key=counts.__getitem__) for choose in (min, max))
        if counts[few] == counts[many]:
            text += f" Each had {counts[few]} trials."
        else:
            text += (
                f" The number of trials is unequal, from {counts[few]} ({few}) to {counts[many]} "
                f"({many}): the better searched of two pipelines has an advantage that is none of "
                "its method's."
            )
    return text + without

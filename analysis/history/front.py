"""The front of a study with two goals: the trials that no other trial beats in both."""

from __future__ import annotations

from functools import partial

from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.document import Block, Figure, Paragraph, Table
from analysis.records import PipelineRecord, StudyRecord
from analysis.style import COLOURS


def front_figure(study: StudyRecord) -> Canvas:
    """A marker a complete trial, one goal against the other; the front as steps, with numbers."""
    first, second = study.goals
    figure, [axis] = style.axes(1, 1, height=3.4)
    kinds = (
        ("complete", [t for t in study.complete if not t.front], {"color": "0.6"}),
        ("beyond a limit", study.infeasible, {"color": COLOURS[5], "marker": "x"}),
        ("front", study.front, {"color": COLOURS[0], "zorder": 3}),
    )
    for label, trials, look in kinds:
        points = [trial.values for trial in trials]
        if points:
            axis.scatter(*zip(*points, strict=True), label=f"{label} ({len(points)})", **look)
    ordered = sorted(trial.values for trial in study.front)
    if ordered:  # between two of its trials, only the worse value of the second goal is reached
        steps = "steps-post" if first.minimise else "steps-pre"
        axis.plot(*zip(*ordered, strict=True), drawstyle=steps, color=COLOURS[0], lw=1)
    for trial in study.front:
        x, y = trial.values
        axis.annotate(str(trial.number), (x, y), (4, 4), textcoords="offset points")
    for name, goal in ((axis.set_xlabel, first), (axis.set_ylabel, second)):
        name(f"{goal.metric} ({'smaller' if goal.minimise else 'larger'} is better)")
    axis.set_title(f"Front of {study.name}")
    axis.legend()
    return figure


def blocks(record: PipelineRecord) -> list[Block]:
    """A figure and a table of each study with two goals."""
    content: list[Block] = []
    for study in record.studies:
        if len(study.goals) != 2 or not study.front:
            continue
        goals = " and ".join(f"`{goal}`" for goal in study.goals)
        count, complete = len(study.front), len(study.complete)
        caption = (
            f"{count} of {complete} complete trials that keep all limits: no other trial is "
            f"better in both goals. Study {study.name}, MLflow run {study.run_id}."
        )
        name = f"front_{study.name}"
        content += [
            Paragraph(f"The study {study.name} had two goals, {goals}: it has no best trial."),
            Figure(
                name=name,
                title=f"{record.name}: the front of {study.name}",
                caption=caption,
                draw=partial(front_figure, study),
            ),
            Table(
                name=f"{name}_trials",
                title=f"{record.name}: the trials on the front of {study.name}",
                caption="`rerun.py --trial` takes one of the ids.",
                columns=("trial", *(goal.metric for goal in study.goals), "trial_id"),
                rows=tuple((t.number, *t.values, t.trial_id) for t in study.front),
            ),
        ]
    return content

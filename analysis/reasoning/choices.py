"""The winner of a search, and how sharply it won: margins, changed defaults, shapes."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import CategoricalDistribution, IntDistribution

from analysis import result_rows
from analysis.records import PipelineRecord, StudyRecord, TrialRecord, same
from analysis.sentences import duration, listed, percent
from search.spaces.pipeline import METRIC

STATES = {
    "COMPLETE": "trained to the end",
    "PRUNED": "stopped early",
    "FAIL": "failed",
    "INTERRUPTED": "interrupted",
}
SHAPE = ("width", "depth", "block", "stem", "upsample")  # makes a network's shape, where searched


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How sharply the best trial of a study won.

    Attributes:
        best: the best COMPLETE trial.
        to_second, to_median: by how much its `valid/accuracy` exceeds the second best and the
            median of the COMPLETE trials; None where there is no other.
        changed: parameter -> (default, the best trial's value), where they differ.
    """

    best: TrialRecord
    to_second: float | None
    to_median: float | None
    changed: Mapping[str, tuple[Any, Any]]


def compute_choice(study: StudyRecord, defaults: Mapping[str, Any]) -> Choice | None:
    """The winner of a study; None where no trial was complete."""
    complete = study.complete
    if not complete:
        return None
    best, *others = complete
    values = [trial.value or 0.0 for trial in complete]
    return Choice(
        best=best,
        to_second=values[0] - values[1] if others else None,
        to_median=values[0] - statistics.median(values) if others else None,
        changed={
            name: (default, best.params[name])
            for name, default in defaults.items()
            if name in best.params and not same(best.params[name], default)
        },
    )


def describe(record: PipelineRecord, study: StudyRecord) -> tuple[str, ...]:
    """Say what the study tried, what won, what differs from the defaults, which shapes did best."""
    choice = compute_choice(study, record.pipeline.defaults)
    found = [_by_goals(study)] if study.goals else _won(record, study, choice)
    return (_tried(study), *found, *_champion(record, study, choice), *_shapes(study, record))


def _tried(study: StudyRecord) -> str:
    counts = Counter(trial.state for trial in study.trials)
    states = ", ".join(f"{counts[s]} {word}" for s, word in STATES.items() if counts[s])
    epochs = listed(list(map(str, study.rungs)))
    rungs = f"compared after epoch {epochs}" if epochs else "none stopped early by rule"
    return (
        f"**Tried:** {len(study.trials)} trials in study `{study.name}` ({states}), of up to "
        f"{study.epochs} epochs, {rungs}, in {duration(study.seconds)}."
    )


def _by_goals(study: StudyRecord) -> str:
    """What won by goals of the study's own; by two of them there is a front and no best trial."""
    goals = " and ".join(f"`{goal}`" for goal in study.goals)
    best, one = study.front, len(study.goals) == 1
    if one and study.complete:
        choose = min if study.goals[0].minimise else max
        best = [choose(study.complete, key=lambda trial: trial.values[0])]
    if not best:
        return f"**Won:** nothing yet by {goals}, no trial was trained to the end."
    shown = {t.number: " and ".join(f"{value:.4f}" for value in t.values) for t in best}
    trials = ", ".join(f"{number} ({values})" for number, values in shown.items())
    if one:
        return f"**Won:** by its own goal, {goals}, trial {trials}."
    return (
        f"**Won:** no single trial, since the study had two goals, {goals}. On their front, where "
        f"no other trial is better in both, stand {len(study.front)} of {len(study.complete)} "
        f"complete trials: {trials}."
    )


def _won(record: PipelineRecord, study: StudyRecord, choice: Choice | None) -> list[str]:
    if choice is None:
        return ["**Won:** nothing yet, no trial was trained to the end."]
    best = choice.best
    text = f"**Won:** trial {best.number} with {percent(best.value or 0, 2)} on validation images"
    if choice.to_second is not None and choice.to_median is not None:
        text += (
            f", {100 * choice.to_second:.2f} points above the second and "
            f"{100 * choice.to_median:.2f} above the median of all {len(study.complete)} complete"
        )
    text += "." + _against_noise(record, choice)
    pairs = [f"{n} {worded(old)} → {worded(new)}" for n, (old, new) in choice.changed.items()]
    changes = ", ".join(pairs) or "nothing: it is the defaults"
    return [text, f"**Against the defaults** it changes {changes}."]


def _champion(record: PipelineRecord, study: StudyRecord, choice: Choice | None) -> list[str]:
    if not record.result or choice is None:
        return []
    source = record.result["source"]
    likewise = source == f"trial {choice.best.number} of {study.name}"
    beside = ", the same," if likewise else ", another than the best of the search,"
    beside *= not study.goals
    return [f"**Champion:** {source}{beside} by mean `{METRIC}` over fresh seeds."]


def _against_noise(record: PipelineRecord, choice: Choice) -> str:
    """Whether the margin is more than two trainings of one configuration differ by anyway."""
    row = result_rows.champion(record)
    values = row["metrics"].get(METRIC, []) if row else []
    if len(values) < 2 or choice.to_second is None:
        return ""
    spread = statistics.stdev(values)
    noise = f"the champion's standard deviation over seeds alone ({100 * spread:.2f} points)"
    if choice.to_second > spread:
        return f" The step to the second is larger than {noise}."
    return f" The step to the second is no larger than {noise}: the order at the top may be chance."


def _shapes(study: StudyRecord, record: PipelineRecord) -> list[str]:
    """The best complete value for each choice of depth, width, and so on."""
    best = []
    for name in SHAPE:
        distribution = record.pipeline.space.get(name)
        if not isinstance(distribution, CategoricalDistribution | IntDistribution):
            continue
        values: dict[Any, list[float]] = {}
        for trial in study.complete:
            if name in trial.params:
                values.setdefault(trial.params[name], []).append(trial.value or 0.0)
        if len(values) < 2:
            continue
        parts = [
            f"{worded(value)}: {percent(max(values[value]), 2)} ({len(values[value])})"
            for value in sorted(values, key=str if isinstance(next(iter(values)), str) else float)
        ]
        best.append(f"{name} {', '.join(parts)}")
    if not best:
        return []
    return [f"**Shape,** best complete trial of each value, and how many: {'; '.join(best)}."]


def worded(value: object) -> str:
    """A parameter's value."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)

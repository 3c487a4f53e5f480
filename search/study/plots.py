"""The search's interactive pictures: Optuna's own figures on one page that opens offline."""

from __future__ import annotations

import html
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import create_trial

from search.study import study as studies

ENOUGH = 10  # the least number of trials for a statement about parameters
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:1200px;margin:2rem auto;padding:0 1rem}"
    "h2{margin-bottom:0}p{margin-top:0;color:#666}div{overflow-x:auto}"
)


def prepare() -> None:
    """Import what `page` needs: it takes most of a second."""
    import plotly.io  # noqa: F401


def page(study: optuna.Study, *, title: str) -> str:
    """One HTML page with all pictures that the study's trials allow; it holds plotly once."""
    import plotly.io
    from optuna import visualization as draw

    directions, goals = study.directions, studies.aims(study).goals
    metric = goals[0].metric
    everything = _in_memory(studies.trained(study), directions)
    alike, epoch = comparable(study)
    basis = f"{metric} of {len(alike.trials)} trials after epoch {epoch}"
    enough = len(alike.trials) >= ENOUGH
    pictures: list[tuple[str, Callable[..., Any], optuna.Study, str]] = [
        ("History", draw.plot_optimization_history, everything, "complete trials, and the best"),
        ("Learning curves", draw.plot_intermediate_values, everything, "pruned trials end early"),
        ("Importance", draw.plot_param_importances, alike, f"share of the variation in {basis}"),
        ("Slices", draw.plot_slice, alike, basis),
        ("Parallel coordinates", draw.plot_parallel_coordinate, alike, basis),
    ]
    front = partial(draw.plot_pareto_front, target_names=[goal.metric for goal in goals])
    if len(goals) > 1:  # Optuna draws the others of one goal
        pictures = [("Front", front, everything, "complete trials; red: none better in both")]
    parts: list[str] = []
    for heading, picture, of_study, caption in pictures:
        if picture is draw.plot_param_importances and not enough:
            continue
        unnamed = picture in (draw.plot_intermediate_values, front)
        named = {} if unnamed else {"target_name": metric}
        try:
            with warnings.catch_warnings(action="ignore"):
                figure = picture(of_study, **named)
        except (ValueError, RuntimeError, ZeroDivisionError):
            continue  # too few trials for this one
        figure.update_layout(title=None, margin={"t": 20}, template="plotly_white")
        if picture is draw.plot_slice:
            figure.update_layout(width=max(1100, 190 * len(figure.data)), autosize=False)
        body = plotly.io.to_html(figure, full_html=False, include_plotlyjs=not parts)
        parts.append(f"<h2>{heading}</h2><p>{html.escape(caption)}</p><div>{body}</div>")
    name = html.escape(title)
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{name}</title>"
        f"<style>{STYLE}</style><h1>{name}</h1>{''.join(parts)}</html>"
    )


def importance(study: optuna.Study) -> tuple[dict[str, float], int]:
    """(parameter -> share of the variation, largest first; the epoch of the values).

    By PED-ANOVA (Watanabe et al., 2023). The mapping is empty if there are too few trials.
    """
    alike, epoch = comparable(study)
    if len(alike.trials) < ENOUGH:
        return {}, epoch
    try:
        with warnings.catch_warnings(action="ignore"):
            shares = optuna.importance.get_param_importances(alike)
    except (ValueError, RuntimeError, ZeroDivisionError):
        return {}, epoch
    # Optuna leaves equal shares in the order of a set, another one in every process.
    return dict(sorted(shares.items(), key=lambda pair: (-round(pair[1], 9), pair[0]))), epoch


def comparable(study: optuna.Study) -> tuple[optuna.Study, int]:
    """All trials that were measured at one epoch, with their values there; and that epoch.

    Complete trials alone are few, and they are there because they were good. The epoch is the
    latest that ten trials reached, or the first measured one if there are fewer trials.
    """
    trials = studies.trained(study)
    reached = Counter(epoch for trial in trials for epoch in trial.intermediate_values)
    most = max(reached.values(), default=0)
    epoch = max((e for e, count in reached.items() if count >= min(ENOUGH, most)), default=0)
    measured = [t for t in trials if epoch in t.intermediate_values]
    alike = [
        create_trial(
            params=t.params, distributions=t.distributions, value=t.intermediate_values[epoch]
        )
        for t in measured
    ]
    return _in_memory(alike, study.directions[:1]), epoch


def _in_memory(
    trials: list[optuna.trial.FrozenTrial], directions: list[StudyDirection]
) -> optuna.Study:
    """A study of these trials in memory: figures read them many times over."""
    study = optuna.create_study(directions=directions)
    study.add_trials(trials)
    return study

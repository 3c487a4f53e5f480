"""The search's interactive pictures: Optuna's own figures on one page that opens offline."""

from __future__ import annotations

import html

import optuna

from search import study as studies

PICTURES = (
    ("History", "plot_optimization_history", "each complete trial and the best so far"),
    ("Learning curves", "plot_intermediate_values", "the metric by epoch; pruned trials end early"),
    ("Importance", "plot_param_importances", "share of the variation that a parameter explains"),
    ("Slices", "plot_slice", "the metric against each parameter"),
    ("Parallel coordinates", "plot_parallel_coordinate", "whole configurations as lines"),
)
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:1200px;margin:2rem auto;padding:0 1rem}"
    "h2{margin-bottom:0}p{margin-top:0;color:#666}"
)


def page(study: optuna.Study, *, metric: str, title: str) -> str:
    """One HTML page with every picture that the study's trials allow, plotly inside it once."""
    import plotly.io
    from optuna import visualization

    shown = _without_duplicates(study)
    parts: list[str] = []
    for heading, function, caption in PICTURES:
        options = {} if function == "plot_intermediate_values" else {"target_name": metric}
        try:
            figure = getattr(visualization, function)(shown, **options)
        except (ValueError, RuntimeError, ZeroDivisionError):
            continue  # too few trials for this one
        figure.update_layout(title=None, margin={"t": 20}, template="plotly_white")
        if function == "plot_slice":
            columns = len(study.trials[0].params)
            figure.update_layout(width=max(1100, 190 * columns), autosize=False)
        body = plotly.io.to_html(figure, full_html=False, include_plotlyjs=not parts)
        parts.append(f"<h2>{heading}</h2><p>{caption}</p><div style='overflow-x:auto'>{body}</div>")
    name = html.escape(title)
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{name}</title>"
        f"<style>{STYLE}</style><h1>{name}</h1>{''.join(parts)}</html>"
    )


def importance(study: optuna.Study) -> dict[str, float]:
    """Parameter -> share of the variation, largest first; empty where too few trials completed."""
    try:
        return optuna.importance.get_param_importances(_without_duplicates(study))
    except (ValueError, RuntimeError, ZeroDivisionError):
        return {}


def _without_duplicates(study: optuna.Study) -> optuna.Study:
    """A copy in memory: figures read the trials many times over."""
    copy = optuna.create_study(direction=study.direction)
    copy.add_trials(studies.trained(study))
    return copy

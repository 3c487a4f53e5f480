"""Contrastive against its ablation, the autoencoder and supervised, on each data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from search.cells.opening import rerun_command
from search.finals.best_rerun import best_rerun, write_result
from search.finals.comparisons import (
    METHOD,
    OTHERS,
    Compared,
    Comparison,
    comparable,
    compare_champion,
    comparisons_json,
    verdict,
)
from search.finals.results import Result
from search.spaces.pipeline import experiment_name
from search.tracking.store import Store

REFUSED = "not compared: measured on other data"


def compare_datasets(
    store: Store, results: Sequence[Result], say: Callable[[str], None]
) -> dict[str, tuple[Comparison, ...]]:
    """The comparisons of every data set that `results` touch.

    The pipelines' best finished reruns are compared, whichever call made them. The contrastive
    pipeline's run is given the comparisons. `say` gets a sentence about what is left out. Returns
    experiment -> comparisons.
    """
    comparisons: dict[str, tuple[Comparison, ...]] = {}
    for dataset, data in sorted({(r.pipeline.split("_")[0], r.data.label) for r in results}):
        name = f"{dataset}_{METHOD}"
        main = _result(store, results, name, data)
        if main is None or not main["classes"]:
            continue
        opponents = {
            opponent: _result(store, results, opponent, data)
            for opponent in (f"{dataset}_{other}" for other in OTHERS)
        }
        compared = compare_champion(main, opponents)
        for opponent in compared.refused:
            pair = {name: main, opponent: opponents[opponent] or {}}
            older = _older(pair, results, dataset, data)
            say(f"{name} and {opponent} are {REFUSED}; to fix: {_reruns(older, data)}")
        if compared.missing:
            named = ", ".join(compared.missing)
            say(f"{name} is not compared with {named}: not measured by this protocol, or the same")
        if compared.comparisons:
            comparisons[experiment_name(name, data)] = compared.comparisons
        if compared.comparisons or compared.refused:  # what was said of those refused goes
            _write(store, main, compared)
    return comparisons


def _older(
    pair: Mapping[str, Mapping[str, Any]], results: Sequence[Result], dataset: str, data: str
) -> list[str]:
    """Those of a pair that were measured otherwise than this call measures."""
    named = (dataset, data)
    measured = next(r for r in results if (r.pipeline.split("_")[0], r.data.label) == named)
    today = {"data_fingerprint": measured.data.fingerprint}
    return [name for name, result in pair.items() if not comparable(result, today)]


def _reruns(pipelines: Sequence[str], data: str) -> str:
    return "; ".join(rerun_command({}, experiment_name(name, data)) for name in pipelines)


def _result(store: Store, results: Sequence[Result], name: str, data: str) -> dict[str, Any] | None:
    """A pipeline's final numbers as JSON: the best in MLflow, else those of this call."""
    experiment = store.find_experiment(experiment_name(name, data))
    best = best_rerun(store, experiment) if experiment else None
    if best:
        return best.result
    own = (r.to_json() for r in results if (r.pipeline, r.data.label) == (name, data))
    return next(own, None)


def _write(store: Store, main: Mapping[str, Any], compared: Compared) -> None:
    whole = {**main, "comparisons": comparisons_json(compared.comparisons)}
    write_result(store, main["run_id"], whole)
    tags = {f"verdict/{c.second}": verdict(c) for c in compared.comparisons}
    tags |= {f"verdict/{opponent}": REFUSED for opponent in compared.refused}
    store.log(main["run_id"], tags=tags)

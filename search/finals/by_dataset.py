"""Contrastive against its ablation, the autoencoder and supervised, on each data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from search.cells.cell import damaged_test, damaged_training, test_outputs
from search.cells.opening import lost, open_cell, rerun_command
from search.finals.best_rerun import best_rerun, comparable, write_result
from search.finals.comparisons import Comparison, compare, correct, verdict
from search.finals.results import Result, comparisons_json
from search.spaces.pipeline import experiment_name
from search.tracking.store import Store

METHOD, OTHERS = "contrastive", ("autoencoder", "supervised")
ABLATION, DEFAULTS, RANDOM_SEARCH = "ablation", "defaults", "random search"
# What a contrastive champion is compared with on its data set, fixed before anything is measured.
OWN = {"its ablation": ABLATION, "its defaults": DEFAULTS, "random search": RANDOM_SEARCH}
FAMILY = len(OWN) + len(OTHERS)
REFUSED = "not compared: measured on other data"


def compare_datasets(
    store: Store, results: Sequence[Result], home: Path, say: Callable[[str], None]
) -> dict[str, list[Comparison]]:
    """The comparisons of every data set that `results` touch, Holm-corrected over its family.

    The pipelines' best finished reruns are compared, whichever call made them. The contrastive
    pipeline's run is given the comparisons. What is missing, or was measured on other data, is
    left out and counts in the correction all the same; `say` gets the sentence about it. Returns
    experiment -> comparisons.
    """
    comparisons: dict[str, list[Comparison]] = {}
    for dataset, mini in sorted({(r.pipeline.split("_")[0], r.mini) for r in results}):
        name = f"{dataset}_{METHOD}"
        main = _result(store, results, name, mini)
        if main is None:
            continue
        pairs: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        refused: list[str] = []
        missing: list[str] = []
        for label, wanted in OWN.items():
            row = next((row for row in main["rows"] if row["name"] == wanted), None)
            if row and row["test"] and row["cells"] != _champion(main)["cells"]:
                pairs.append((label, row, main))
            else:
                missing.append(label)
        for opponent in (f"{dataset}_{other}" for other in OTHERS):
            other = _result(store, results, opponent, mini)
            if other and comparable(main, other):
                pairs.append((opponent, _champion(other), other))
            elif other:
                refused.append(opponent)
                older = _older({name: main, opponent: other}, results, dataset, mini)
                say(f"{name} and {opponent} are {REFUSED}; to fix: {_reruns(older, mini)}")
            else:
                missing.append(opponent)
        if missing:
            named = ", ".join(missing)
            say(f"{name} is not compared with {named}: not measured by this protocol, or the same")
        compared = _compare(store, home, main, pairs)
        if compared:
            comparisons[experiment_name(name, mini=mini)] = compared
        if compared or refused:  # what an earlier call had said of those refused goes
            _write(store, main, compared, refused)
    return comparisons


def _compare(
    store: Store,
    home: Path,
    main: Mapping[str, Any],
    pairs: Sequence[tuple[str, dict[str, Any], dict[str, Any]]],
) -> list[Comparison]:
    """The champion of `main` against each of (label, row, the result that has it)."""
    mains = _champion(main)
    hits = _hits(store, home, main, mains)
    return correct(
        [
            compare(main["pipeline"], label, hits=(hits, _hits(store, home, source, row)))
            for label, row, source in pairs
        ],
        FAMILY,
    )


def _older(
    pair: Mapping[str, Mapping[str, Any]], results: Sequence[Result], dataset: str, mini: bool
) -> list[str]:
    """Those of a pair that were measured otherwise than this call measures."""
    measured = next(r for r in results if (r.pipeline.split("_")[0], r.mini) == (dataset, mini))
    today = {"data_fingerprint": measured.fingerprint}
    return [name for name, result in pair.items() if not comparable(result, today)]


def _reruns(pipelines: Sequence[str], mini: bool) -> str:
    option = " --data mini" * mini
    return "; ".join(f"python search/rerun.py --pipeline {name}{option}" for name in pipelines)


def _result(
    store: Store, results: Sequence[Result], name: str, mini: bool
) -> dict[str, Any] | None:
    """A pipeline's final numbers as JSON: the best in MLflow, else those of this call."""
    experiment = store.find_experiment(experiment_name(name, mini=mini))
    best = best_rerun(store, experiment) if experiment else None
    if best:
        return best.result
    own = (r.to_json() for r in results if (r.pipeline, r.mini) == (name, mini))
    return next(own, None)


def _champion(result: Mapping[str, Any]) -> dict[str, Any]:
    return dict(result["rows"][0])


def _hits(
    store: Store, home: Path, result: Mapping[str, Any], row: Mapping[str, Any]
) -> np.ndarray:
    """(seeds, images) bool: which test images each of the row's trainings classified rightly."""
    return np.stack([_cell_hits(store, home, result, cell) for cell in row["cells"]])


def _cell_hits(store: Store, home: Path, result: Mapping[str, Any], cell: str) -> np.ndarray:
    folder = home / "finals" / cell
    if not (damaged_training(folder) or damaged_test(folder)):
        return _right(test_outputs(folder))
    experiment = store.find_experiment(result["experiment"])
    assert experiment is not None
    again = rerun_command(store.tags(result["run_id"]), result["experiment"])
    run_id = store.find_run(experiment, cell=cell, parent=result["run_id"])
    if run_id is None:
        raise lost(result["run_id"], f"the run of cell {cell}", again)
    return _right(open_cell(store, run_id, again=again, test=True).stored)


def _right(stored: Mapping[str, np.ndarray]) -> np.ndarray:
    right: np.ndarray = stored["predictions"] == stored["labels"]
    return right


def _write(
    store: Store, main: Mapping[str, Any], compared: Sequence[Comparison], refused: Sequence[str]
) -> None:
    whole = {**main, "comparisons": comparisons_json(compared)}
    write_result(store, main["run_id"], whole)
    tags = {f"verdict/{c.second}": verdict(c) for c in compared}
    tags |= dict.fromkeys((f"verdict/{opponent}" for opponent in refused), REFUSED)
    store.log(main["run_id"], tags=tags)

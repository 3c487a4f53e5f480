"""Contrastive against its ablation, the autoencoder and supervised, on each data set."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from search.finals.cells import TEST_OUTPUTS
from search.finals.comparisons import Comparison, compare, correct, verdict
from search.finals.finished import best_rerun, comparable
from search.finals.results import TEST, Result, comparisons_json
from search.pipeline import experiment_name
from search.tracking import Store

METHOD, OTHERS = "contrastive", ("autoencoder", "supervised")
ABLATION = "ablation"
REFUSED = "not compared: measured on other data or by another classifier"


def compare_datasets(
    store: Store, results: Sequence[Result], home: Path, say: Callable[[str], None]
) -> dict[str, list[Comparison]]:
    """The comparisons of every data set that `results` touch, Holm-corrected within it.

    The pipelines' best finished reruns are compared, whichever call made them. The contrastive
    pipeline's run is given the comparisons. What was measured on other data, or by a classifier of
    another version, is left out, which `say` is told with what mends it. Returns experiment ->
    comparisons.
    """
    found: dict[str, list[Comparison]] = {}
    for dataset, mini in sorted({(r.pipeline.split("_")[0], r.mini) for r in results}):
        name = f"{dataset}_{METHOD}"
        main = _result(store, results, name, mini)
        if main is None:
            continue
        pairs: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        refused: list[str] = []
        ablation = next((row for row in main["rows"] if row["kind"] == ABLATION), None)
        if ablation and ablation["test"]:
            pairs.append(("its ablation", ablation, main))
        for opponent in (f"{dataset}_{other}" for other in OTHERS):
            other = _result(store, results, opponent, mini)
            if other and comparable(main, other):
                pairs.append((opponent, _champion(other), other))
            elif other:
                refused.append(opponent)
                older = _older({name: main, opponent: other}, results, dataset, mini)
                say(f"{name} and {opponent} are {REFUSED}; to mend: {_reruns(older, mini)}")
        compared = _compare(store, home, main, pairs)
        if compared:
            found[experiment_name(name, mini=mini)] = compared
        if compared or refused:  # what an earlier call had said of those refused goes
            _write(store, main, compared, refused)
    return found


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
            compare(
                main["pipeline"],
                label,
                accuracies=(mains["metrics"][TEST], row["metrics"][TEST]),
                hits=(hits, _hits(store, home, source, row)),
            )
            for label, row, source in pairs
        ]
    )


def _older(
    pair: Mapping[str, Mapping[str, Any]], results: Sequence[Result], dataset: str, mini: bool
) -> list[str]:
    """Those of a pair that were measured otherwise than this call measures."""
    made = next(r for r in results if (r.pipeline.split("_")[0], r.mini) == (dataset, mini))
    today = {"data_fingerprint": made.fingerprint, "classifier": made.classifier}
    return [name for name, result in pair.items() if not comparable(result, today)]


def _reruns(pipelines: Sequence[str], mini: bool) -> str:
    option = " --data mini" * mini
    return "; ".join(f"python search/rerun.py --pipeline {name}{option}" for name in pipelines)


def _result(
    store: Store, results: Sequence[Result], name: str, mini: bool
) -> dict[str, Any] | None:
    """A pipeline's final numbers as JSON: the best in MLflow, else those of this call."""
    experiment = store.find_experiment(experiment_name(name, mini=mini))
    found = best_rerun(store, experiment) if experiment else None
    if found:
        return found.result
    made = (r.to_json() for r in results if (r.pipeline, r.mini) == (name, mini))
    return next(made, None)


def _champion(result: Mapping[str, Any]) -> dict[str, Any]:
    return dict(result["rows"][0])


def _hits(
    store: Store, home: Path, result: Mapping[str, Any], row: Mapping[str, Any]
) -> np.ndarray:
    """(N,) bool: which test images the row's first seed classified rightly."""
    cell = row["cells"][0]
    file = home / "finals" / cell / TEST_OUTPUTS
    if file.exists():
        return _read(file)
    experiment = store.find_experiment(result["experiment"])
    assert experiment is not None
    run_id = store.find_run(experiment, cell=cell, parent=result["run_id"])
    with tempfile.TemporaryDirectory() as folder:
        there = store.download(run_id, TEST_OUTPUTS, Path(folder)) if run_id else None
        if there is None:
            raise FileNotFoundError(
                f"{TEST_OUTPUTS} of cell {cell} ({result['pipeline']}) is neither in {home} "
                "nor in MLflow"
            )
        return _read(there)


def _read(file: Path) -> np.ndarray:
    with np.load(file) as stored:
        right: np.ndarray = stored["predictions"] == stored["labels"]
    return right


def _write(
    store: Store, main: Mapping[str, Any], compared: Sequence[Comparison], refused: Sequence[str]
) -> None:
    whole = {**main, "comparisons": comparisons_json(compared)}
    store.log_text(main["run_id"], json.dumps(whole, indent=1), "results.json")
    tags = {f"verdict/{c.second}": verdict(c) for c in compared}
    tags |= dict.fromkeys((f"verdict/{opponent}" for opponent in refused), REFUSED)
    store.log(main["run_id"], tags=tags)

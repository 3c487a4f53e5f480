"""Which configurations are trained again: the best trials in MLflow, or one that is given."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search.errors import Failure, UserError
from search.spaces import space as spaces
from search.spaces.goals import FEASIBLE, FRONT, GOALS, LIMITS
from search.spaces.pipeline import Pipeline, Scalar
from search.tracking.provenance import TWIN_OF, pipeline_tags
from search.tracking.store import RunView, Store
from trainers import protocol
from trainers.data import TrainingData

SHOWN = 20  # ids of trials that an error names
CHANGED = ", with "  # between where a candidate comes from and what `--set` changed of it


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration that may become the champion.

    Attributes:
        epochs: what its study trained for; None where no study did.
        promised: `valid/accuracy` in its study, None where no study measured it.
        source: where it comes from, for people.
        study: that it is a trial of, None where it is none.
    """

    params: Mapping[str, Scalar]
    epochs: int | None
    promised: float | None
    source: str
    study: str | None = None


def complete_trials(store: Store, experiment: str) -> list[RunView]:
    """The COMPLETE trials of an experiment; none where there is no such experiment."""
    return store.runs_of(experiment, kind="trial", trial_state="COMPLETE")


def choose(
    options: Namespace,
    store: Store,
    trials: Sequence[RunView],
    *,
    name: str,
    pipeline: Pipeline,
    data: TrainingData,
) -> list[Candidate]:
    """The top k of `trials`, or what `--study`, `--trial` or `--config` name.

    Args:
        trials: those of the pipeline, which has this `name`.

    Raises:
        UserError: nothing fits; what there is instead is said.
    """
    if options.config:
        return [read_config(options.config, name, pipeline)]
    if options.trial:
        trials = [run for run in trials if run.tags.get("trial_id") == options.trial]
        if not trials:
            raise UserError(
                f"--trial {options.trial}: {name} has no complete trial of this id\n"
                "the ids are in MLflow, tag trial_id; a pruned trial has no final value"
            )
    else:
        trials = [run for run in trials if options.study or TWIN_OF not in run.tags]
        trials = _of_one_goal(trials, options.study, name)
    if options.study:
        every = {run.tags.get("study", "") for run in trials}
        trials = [run for run in trials if run.tags.get("study") == options.study]
        if not trials:
            names = ", ".join(sorted(every)) or "none"
            raise UserError(
                f"--study {options.study}: {name} has no such study with a complete "
                f"trial\nthere are: {names}"
            )
    same_data = [run for run in trials if run.tags.get("data_fingerprint") == data.fingerprint]
    if trials and not same_data:
        then = ", ".join(sorted({run.tags.get("data_fingerprint", "?") for run in trials}))
        mend = "search again: it is drawn by newer code" if data.source == "mini" else ""
        raise Failure(
            f"{name} was searched on other data: {then} then, {data.fingerprint} now\n"
            f"{mend or 'give the --data-dir of the search'}"
        )
    today = [run for run in same_data if run.tags.get("protocol", "1") == str(protocol.VERSION)]
    if same_data and not today:
        raise Failure(
            f"{name} was searched by an earlier protocol: its trials are not ranked by protocol "
            f"{protocol.VERSION} of now (docs/protocol.md)\n"
            f"search again: python search/tune.py --pipeline {name}; or name one configuration "
            "with --config"
        )
    source = pipeline_tags(name)
    same_data = [run for run in today if source.items() <= run.tags.items()]
    if today and not same_data:
        raise Failure(
            f"{name} was searched with another text of {name}.py\n"
            "give the file as it was then, or search with this one first"
        )
    if not same_data:
        raise Failure(
            f"{name} has no finished trial in {store.shown}\n"
            f"search first: python search/tune.py --pipeline {name}"
        )
    sizes = {int(run.params["train_size"]) for run in same_data}
    same_size = [run for run in same_data if int(run.params["train_size"]) == max(sizes)]
    best = sorted(same_size, key=lambda run: (-run.metrics.get(pipeline.metric, 0.0), run.run_id))
    chosen: dict[str, Candidate] = {}
    foreign: set[str] = set()
    for run in best:
        candidate = _candidate(store, run, pipeline)
        if unknown := candidate.params.keys() - pipeline.space.keys():
            foreign |= unknown  # of an earlier pipeline of this name
            continue
        key = f"{spaces.key(candidate.params)} {candidate.epochs}"
        chosen.setdefault(key, candidate)  # the same configuration in two studies counts once
        if len(chosen) == options.top:
            break
    if not chosen:
        raise Failure(
            f"{name} was searched when it had other parameters: {', '.join(sorted(foreign))}\n"
            f"search again: python search/tune.py --pipeline {name}"
        )
    return list(chosen.values())


def _of_one_goal(trials: list[RunView], study: str | None, name: str) -> list[RunView]:
    """The trials that keep their limits, of studies with the pipeline's own goal.

    Raises:
        UserError: the study that is named has other goals, or none of its trials keeps its limits.
    """
    usual = [run for run in trials if GOALS not in run.tags]
    kept = [run for run in usual if run.tags.get(FEASIBLE) != "false"]
    named = [run for run in trials if run.tags.get("study") == study]
    if study and named and not any(run in kept for run in named):
        if GOALS in named[0].tags:
            front = [run for run in named if run.tags.get(FRONT) == "true"] or named
            ids = ", ".join(run.tags["trial_id"] for run in front[:SHOWN])
            raise UserError(
                f"--study {study} has the goals {named[0].tags[GOALS]}: no one trial is its best\n"
                f"choose one by its id with --trial: {ids}{', ...' * (len(front) > SHOWN)}"
            )
        raise Failure(
            f"--study {study}: no trial keeps {named[0].tags.get(LIMITS)}\n"
            "name one all the same with --trial, or search with wider limits"
        )
    if trials and not kept:
        raise Failure(
            f"{name} has complete trials, but none of one goal that keeps its study's limits\n"
            "name one by its id with --trial, or search with other limits"
        )
    return kept


def best_of_random_search(
    store: Store, trials: Sequence[RunView], study: str, pipeline: Pipeline
) -> Candidate | None:
    """The best of `trials` that belong to the study's twin; None where it has none."""
    ours = [run for run in trials if run.tags.get(TWIN_OF) == study]
    twins = [run for run in ours if run.tags.get(FEASIBLE) != "false"]
    best = max(twins, key=lambda run: run.metrics.get(pipeline.metric, 0.0), default=None)
    return None if best is None else _candidate(store, best, pipeline)


def _candidate(store: Store, run: RunView, pipeline: Pipeline) -> Candidate:
    stored = _stored_config(store, run)
    study = run.tags.get("study")
    return Candidate(
        params=stored["params"],
        epochs=int(stored["epochs"]),
        promised=run.metrics.get(pipeline.metric),
        source=f"trial {int(run.tags.get('trial_number', 0))} of {study}",
        study=study,
    )


def change(
    candidates: Sequence[Candidate], pipeline: Pipeline, settings: Sequence[str]
) -> list[Candidate]:
    """The candidates with what `--set` says; those that become equal count once.

    What was changed was not searched: nothing is promised of it.

    Raises:
        UserError: a setting that does not name one value of the space.
    """
    values: dict[str, Scalar] = {}
    for setting in settings:
        space, moved = spaces.narrow(pipeline.space, pipeline.defaults, [setting])
        name = setting.partition("=")[0].strip()
        if not space[name].single():
            raise UserError(f"--set {setting}: one value is needed here, as in --set width=32")
        values[name] = moved[name]
    changed: dict[str, Candidate] = {}
    for candidate in candidates:
        params = {**candidate.params, **values}
        if params != dict(candidate.params):
            described = ", ".join(f"{name}={value}" for name, value in values.items())
            source = f"{candidate.source}{CHANGED}{described}"
            candidate = replace(candidate, params=params, promised=None, source=source)
        changed.setdefault(f"{spaces.key(params)} {candidate.epochs}", candidate)
    return list(changed.values())


def read_config(file: str, name: str, pipeline: Pipeline) -> Candidate:
    """A configuration from a `best.json` of `tune.py` or of `rerun.py`.

    Raises:
        UserError: no such file, no JSON, another pipeline's, or parameters that do not fit.
    """
    try:
        stored = json.loads(Path(file).read_text(encoding="utf-8"))
        params, given = stored["params"], stored["pipeline"]
        epochs = stored.get("epochs")
    except OSError as error:
        raise UserError(f"--config {file}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(
            f"--config {file}: not a configuration\n"
            'it is JSON with "pipeline", "params" and "epochs", as best.json in MLflow'
        ) from None
    if given != name:
        raise UserError(f"--config {file} is for {given}, not for {name}")
    spaces.check(pipeline.space, params, where=f"--config {file}")
    if epochs is not None and (type(epochs) is not int or epochs < 1):
        raise UserError(f"--config {file}: epochs is {epochs!r}, at least 1 is needed")
    source = Path(file).name if Path(file).is_absolute() else file  # nobody else has this folder
    return Candidate(params=params, epochs=epochs, promised=None, source=source)


def _stored_config(store: Store, run: RunView) -> dict[str, Any]:
    """The exact configuration: parameters in MLflow are rounded for people."""
    try:
        return dict(json.loads(store.read_text(run.run_id, "config.json") or ""))
    except ValueError:
        raise Failure(
            f"config.json of run {run.run_id} ({run.tags.get('trial_id')}) is gone or damaged\n"
            "its configuration cannot be trained again; choose another with --trial or --config"
        ) from None

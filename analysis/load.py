"""Reads MLflow, and makes the records of records.py from what it holds about each pipeline."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution, IntDistribution

from analysis import records as kinds
from analysis.cache import Cache
from analysis.records import (
    BUILT_IN,
    Findings,
    PipelineRecord,
    StudyRecord,
    SweepRecord,
    TrialRecord,
)
from search.cells.cell import MODEL
from search.cells.heldout import images_for_figures, note_figures
from search.cells.opening import open_cell, open_trial, read_sealed, rerun_command
from search.cli.images import label, load_images, words_of
from search.errors import Failure
from search.finals.best_rerun import Finished, best_rerun, finished_reruns
from search.finals.plan import experiment_name
from search.grids.results import OUTCOME, GridResult, GridRow
from search.grids.sweep import load_sweep, sweep_experiment
from search.spaces.goals import FEASIBLE, FRONT, GOALS, Goal
from search.spaces.pipeline import METRIC, Pipeline, load_pipeline
from search.tracking.store import RunView, Store
from trainers.data import LabelledImages, TrainingData
from trainers.protocol import VERSION, version_of


def find(
    store: Store,
    names: Sequence[str],
    *,
    images: Images,
    seed: int = 0,
    points: int = 2000,
    embedding: str = "tsne",
    sweeps: Sequence[str] = (),
    protocol: int | None = None,
) -> Findings:
    """Everything about the pipelines `names` that have a study or a champion, and about `sweeps`.

    Args:
        protocol: leave out what was measured by another version; None: the newest that is there.

    Raises:
        UserError: the store holds neither.
    """
    home = images.home
    cache = Cache(home / "analysis_cache")
    records: dict[str, PipelineRecord] = {}
    missing: dict[str, str] = {}
    option = "".join(f" {word}" for word in images.words)
    versions = _protocols(store, names, images.label)
    if images.label not in BUILT_IN:  # sweeps are of the built-in data
        sweeps = ()
    if protocol is None:
        protocol = max(versions, default=VERSION)
    for name in names:
        record = _record(store, name, images, cache, protocol)
        if record is None:
            missing[name] = f"python search/tune.py --pipeline {name}{option}"
            continue
        records[name] = record
        if not record.final:
            missing[name] = f"python search/rerun.py --pipeline {name}{option}"
    swept = [one for name in sweeps if (one := _sweep(store, name, images, cache, protocol))]
    if not records and not swept:
        raise Failure(
            f"no pipeline has a study in {store.shown}\n"
            f"search first: python search/tune.py --pipeline cifar_contrastive{option}"
        )
    shown = store.shown.replace(f"{home.parent}/", "")  # the same on every machine
    return Findings(
        records=records,
        missing=missing,
        sweeps=tuple(swept),
        unswept=tuple(name for name in sweeps if name not in {one.name for one in swept}),
        data=images.label,
        data_words=images.words,
        seed=seed,
        points=points,
        embedding=embedding,
        cache=cache,
        source=f"MLflow's runs at `{shown}`",
        protocol=protocol,
        other_protocols={n: versions[n] for n in sorted(versions) if n != protocol},
    )


def _protocols(store: Store, names: Sequence[str], data: str) -> dict[int, list[str]]:
    """Version of the protocol -> the pipelines that have studies or final numbers by it."""
    found: dict[int, list[str]] = {}
    for name in names:
        experiment = store.find_experiment(experiment_name(name, data))
        if experiment is None:
            continue
        versions = set(map(_protocol, store.runs(experiment, kind="study")))
        versions |= {
            version_of({**run.params, **run.tags})
            for run in store.runs(experiment, kind="rerun")
            if run.status == "FINISHED"
        }
        for version in versions:
            found.setdefault(version, []).append(name)
    return found


def _protocol(run: RunView) -> int:
    """Of a study or a sweep."""
    return int(run.tags.get("protocol", 1))


@dataclass(frozen=True, kw_only=True)
class Images:
    """The data sets that a command names, each read once for all of its pipelines."""

    options: Namespace
    home: Path
    _training: dict[str, TrainingData] = field(default_factory=dict)
    _test: dict[str, LabelledImages] = field(default_factory=dict)

    @classmethod
    def of(cls, options: Namespace, home: Path) -> Images:
        """Those that the options of a command name."""
        folder = None if options.data == "mini" else options.data_dir
        return cls(options=Namespace(**{**vars(options), "data_dir": folder}), home=home)

    def stand_in(self) -> Images:
        """The stand-in in their place."""
        return Images.of(Namespace(**{**vars(self.options), "data": "mini"}), self.home)

    @property
    def label(self) -> str:
        """`real`, `mini`, or the name of a user's own."""
        return label(self.options)

    @property
    def words(self) -> tuple[str, ...]:
        """The options that name them, for commands; without folders, which are this machine's."""
        return tuple(words_of(Namespace(**{**vars(self.options), "data_dir": None})))

    def training(self, pipeline: str) -> TrainingData:
        """Train and validation images."""
        definition = load_pipeline(pipeline)
        dataset = definition.dataset if self.label in BUILT_IN else self.label
        if dataset not in self._training:
            _, self._training[dataset] = load_images(self.options, definition)
        return self._training[dataset]

    def test(self, data: TrainingData, weights: str) -> LabelledImages:
        """The test images; the store notes that the figures of `weights` show them."""
        note_figures(self.home, weights)
        if data.dataset not in self._test:
            self._test[data.dataset] = images_for_figures(data, data.folder)
        return self._test[data.dataset]


def _record(
    store: Store, name: str, images: Images, cache: Cache, protocol: int
) -> PipelineRecord | None:
    experiment = store.find_experiment(experiment_name(name, images.label))
    if experiment is None:
        return None
    pipeline = load_pipeline(name)
    studies = _studies(store, experiment, pipeline, protocol)
    finished = best_rerun(store, experiment, protocol=protocol)
    study = kinds.main_study(studies)
    if finished is None and not (study and study.complete):
        return None
    data = images.training(name)
    pipeline = pipeline.on(data.spec)
    result = None
    if finished:
        result, run_id = finished.result, _champion_run(store, experiment, finished)
        opened = open_cell(store, run_id, again=finished.command, test=True)
    else:
        assert study is not None
        run_id = study.complete[0].run_id
        again = rerun_command({}, experiment_name(name, images.label))
        opened = open_trial(store, run_id, again=again)
    return PipelineRecord(
        name=name,
        pipeline=pipeline,
        final=finished is not None,
        run_id=finished.run.run_id if finished else run_id,
        cell_run=run_id,
        experiment_id=experiment,
        command=finished.command if finished else "",
        result=result,
        split="test" if finished else "validation",
        images=images.test(data, opened.weights) if finished else data.valid,
        data=data,
        studies=tuple(s for s in studies if s.tags.get("data_fingerprint") == data.fingerprint),
        cache=cache,
        **vars(opened),
    )


def _sweep(
    store: Store, name: str, images: Images, cache: Cache, protocol: int
) -> SweepRecord | None:
    """The latest finished one; a full grid before a quick one."""
    experiment = store.find_experiment(sweep_experiment(name, mini=images.label == "mini"))
    runs = store.runs(experiment, kind="sweep") if experiment else []
    finished = [run for run in runs if run.status == "FINISHED" and _protocol(run) == protocol]
    if not finished or experiment is None:
        return None
    run = min(finished, key=lambda run: run.tags.get("quick") == "true")
    run_id, quick = run.run_id, " --quick" * (run.tags.get("quick") == "true")
    data = "".join(f" {word}" for word in images.words)
    again = f"python search/sweep.py --sweep {name}{quick}{data}"
    outcome = GridResult.from_json(read_sealed(store, run_id, OUTCOME, again=again))

    def load(row: GridRow, number: int) -> PipelineRecord:
        cell = store.find_run(experiment, parent=run_id, cell=row.cells[number])
        if cell is None:
            lost = f"the sweep {name} has lost the run of its cell {row.cells[number]}"
            raise Failure(f"{lost}\nmake it again: {again}")
        pipeline = load_pipeline(row.pipeline)
        data = images.training(row.pipeline)
        opened = open_cell(store, cell, again=again)
        return PipelineRecord(
            name=row.pipeline,
            pipeline=pipeline,
            run_id=cell,
            experiment_id=experiment,
            images=data.valid,
            data=data,
            cache=cache,
            **vars(opened),
        )

    return SweepRecord(name=name, sweep=load_sweep(name), outcome=outcome, run_id=run_id, load=load)


def every_final(store: Store, record: PipelineRecord) -> list[PipelineRecord]:
    """The record once for each finished rerun of its protocol, the latest first.

    Each has its result and its info; the weights, latents and predictions are those of the best.
    """
    finals: list[PipelineRecord] = []
    for one in finished_reruns(store, record.experiment_id):
        if record.result is None or version_of(one.result) != version_of(record.result):
            continue
        champion = _champion_run(store, record.experiment_id, one)
        info = read_sealed(store, champion, MODEL, again=one.command)
        own = replace(record, run_id=one.run.run_id, command=one.command)
        finals.append(replace(own, result=one.result, info=info))
    return finals


def _champion_run(store: Store, experiment: str, rerun: Finished) -> str:
    parent, cell = rerun.run.run_id, rerun.result["model"]["cell"]
    run = store.find_run(experiment, parent=parent, cell=cell, champion="true")
    if run is None:
        lost = f"the rerun {parent} has lost its champion's run (cell {cell})"
        raise Failure(f"{lost}\nmake it again: {rerun.command}")
    return run


def _studies(store: Store, experiment: str, pipeline: Pipeline, protocol: int) -> list[StudyRecord]:
    studies = []
    for run in reversed(store.runs(experiment, kind="study")):
        if _protocol(run) != protocol:
            continue
        children = store.runs(experiment, kind="trial", parent=run.run_id)
        goals = run.tags.get(GOALS, "")
        trials = [_trial(store, child, pipeline, goals=goals) for child in children]
        rungs = run.params.get("rungs", "none").replace("none", "")
        studies.append(
            StudyRecord(
                name=run.tags["study"],
                run_id=run.run_id,
                trials=tuple(sorted(trials, key=lambda trial: trial.number)),
                rungs=tuple(map(int, rungs.split())),
                epochs=int(run.params["epochs"]),
                tags=run.tags,
                params=run.params,
                seconds=run.metrics.get("time/seconds", 0.0),
            )
        )
    return studies


def _trial(store: Store, run: RunView, pipeline: Pipeline, *, goals: str) -> TrialRecord:
    curve = store.history(run.run_id, METRIC)
    spent = ("time/epoch_seconds", "time/evaluation_seconds")
    return TrialRecord(
        number=int(run.tags.get("trial_number", -1)),
        state=run.tags.get("trial_state", "INTERRUPTED"),
        run_id=run.run_id,
        value=curve[max(curve)] if curve else None,
        params={
            name: _value(distribution, run.params[name])
            for name, distribution in pipeline.space.items()
            if name in run.params
        },
        curve=curve,
        loss=store.history(run.run_id, "train/loss"),
        seconds=sum(sum(store.history(run.run_id, name).values()) for name in spent),
        trial_id=run.tags.get("trial_id", ""),
        feasible=run.tags.get(FEASIBLE) != "false",
        values=tuple(run.metrics.get(Goal.parse(goal).metric, math.nan) for goal in goals.split()),
        front=run.tags.get(FRONT) == "true",
    )


def _value(distribution: object, text: str) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return {str(choice): choice for choice in distribution.choices}.get(text, text)
    return int(text) if isinstance(distribution, IntDistribution) else float(text)

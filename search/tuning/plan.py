"""Make a plan from the command's options: this module checks all of them.

The command writes nothing before a plan exists, so that a mistake leaves nothing incomplete behind.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from search.cli.images import load_images, words_of
from search.cluster import ray_session
from search.cluster.allocation import plan_resources
from search.cluster.resources import Resources
from search.errors import UserError
from search.files.home import HOME
from search.spaces.goals import Aims, parse_aims
from search.spaces.pipeline import Pipeline, Scalar, experiment_name, load_pipeline, source_of
from search.spaces.rungs import rungs
from search.spaces.space import Space, narrow, signature, values
from search.study.known import Known, find
from search.study.storage import RDBStorage, open_storage, studies_exist, study_names
from search.tracking.address import probe, resolve_uri
from trainers import protocol
from trainers.data import TrainingData

# Options that the plan holds as they are.
AS_GIVEN = (
    *("trials", "seed", "time_budget", "address"),
    *("study", "resume", "accept_source", "quiet", "baseline", "target", "stop_after"),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a search.

    Attributes:
        space, defaults: after `--set`.
        data: images and labels of the split, never the test set.
        data_words: the options that named it.
        trials: the number of trials that the study is to have in the end.
        study, resume: the given name, if any; whether to go on with an existing study.
        accept_source: whether the study may go on with another text of a user's own pipeline.
        baseline: `random` if a random search follows as the study's twin.
        target, stop_after: the value that ends the search; the trials in a row without a better
            one that do.
        known: what an earlier search found, from which a new study starts.
        twin_of: the study whose twin this search is, if it is one. It draws at random, stops no
            trial, and ends after `time_budget` seconds in all, however often it is interrupted.
        settings: the arguments of `--set`.
        arguments: the command's words, for the command that resumes the search.
    """

    pipeline_name: str
    pipeline: Pipeline
    space: Space
    defaults: Mapping[str, Scalar]
    aims: Aims
    data: TrainingData
    data_words: tuple[str, ...]
    epochs: int
    trials: int
    seed: int
    sampler: str
    scheduler: str
    time_budget: float | None
    resources: Resources
    address: str | None
    home: Path
    tracking_uri: str
    study: str | None
    resume: bool
    accept_source: bool
    quiet: bool
    settings: tuple[str, ...]
    arguments: tuple[str, ...]
    baseline: str | None = None
    target: float | None = None
    stop_after: int | None = None
    known: Known | None = None
    twin_of: str | None = None

    def twin(self, study: str, seconds: float) -> Plan:
        """The random search for as long as `study` took."""
        return replace(
            self,
            study=f"{study}-random",
            resume=True,
            sampler="random",
            scheduler="none",
            time_budget=seconds,
            baseline=None,
            target=None,
            stop_after=None,
            known=None,
            twin_of=study,
        )

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs at which trials are measured and compared."""
        return rungs(self.epochs)

    @property
    def source(self) -> str | None:
        """The text of a user's own pipeline."""
        return source_of(self.pipeline_name)

    @property
    def experiment(self) -> str:
        """The name of MLflow's experiment; stand-in data has an experiment of its own."""
        return experiment_name(self.pipeline_name, self.data.label)

    @property
    def identity(self) -> dict[str, Any]:
        """The settings that must not change when a study is resumed."""
        return {
            "protocol": protocol.VERSION,
            "pipeline": self.pipeline_name,
            "data": self.data.label,
            "fingerprint": self.data.fingerprint,
            "train_size": len(self.data.train),
            "epochs": self.epochs,
            "seed": self.seed,
            "space": signature(self.space),
            **self.aims.to_json(load_pipeline(self.pipeline_name).metric),
            **({"twin_of": self.twin_of} if self.twin_of else {}),
            **({"source": self.source} if self.source else {}),
        }

    def new_name(self) -> str:
        """A new study's name, from the pipeline and the time."""
        return f"{self.experiment}-{datetime.now():%Y%m%d-%H%M%S}"

    def choose_study(self, storage: RDBStorage | None) -> str | None:
        """The study to search, None for a new one; `storage` is None if there is none yet.

        Raises:
            UserError: the name is taken, or there is no study to resume.
        """
        if self.study:
            exists = storage is not None and self.study in study_names(storage)
            if exists and not self.resume:
                raise UserError(
                    f"there is a study {self.study!r} already\n"
                    "add --resume to go on with it, or give another --study"
                )
            return self.study
        if not self.resume:
            return None
        label = self.data.label
        names = study_names(storage, self.pipeline_name, label) if storage else []
        if not names:
            raise UserError(
                f"--resume: {self.pipeline_name} has no study on {label} data here\n"
                "leave --resume out to start one"
            )
        return names[-1]


def make_plan(options: Namespace) -> Plan:
    """Check every option and load the data.

    Raises:
        UserError, DataError: an option or the data is wrong; the message says how to fix it.
    """
    home = HOME.absolute()
    if len(options.objective) > 1 and (options.target is not None or options.stop_after):
        raise UserError(
            "--target and --stop-after compare trials by one goal, and there are two\n"
            "leave them out, or give one --objective"
        )
    pipeline, data = load_images(
        options, load_pipeline(options.pipeline), train_size=options.train_size
    )
    start = getattr(options, "from")
    if start and options.resume:
        raise UserError("--from starts a study, --resume goes on with one\ngive one of them")
    if start and (options.sampler in ("random", "gp") or len(options.objective) > 1):
        raise UserError(
            "--from teaches TPE the order of trials by one goal\n"
            "leave --from out, or --sampler and the second --objective"
        )
    aims = parse_aims(pipeline, options.objective, options.limit)
    sampler = _sampler(options.sampler, aims)
    scheduler = _scheduler(options.scheduler, aims)
    space, defaults = narrow(pipeline.space, pipeline.defaults, options.set)
    known = None
    if start:
        known = find(start, open_storage(home) if studies_exist(home) else None, space)
    uri = resolve_uri(options.tracking_uri, home)
    probe(uri)
    if options.address:
        ray_session.probe_address(options.address)
    resources = plan_resources(options, options.pipeline, space, defaults, data.spec)
    _check_batch(space, len(data.train))
    return Plan(
        pipeline_name=options.pipeline,
        pipeline=pipeline,
        space=space,
        defaults=defaults,
        aims=aims,
        data=data,
        data_words=tuple(words_of(options)),
        epochs=options.epochs or pipeline.epochs,
        sampler=sampler,
        scheduler=scheduler,
        resources=resources,
        home=home,
        tracking_uri=uri,
        settings=tuple(options.set),
        arguments=tuple(options.arguments),
        known=known,
        **{name: getattr(options, name) for name in AS_GIVEN},
    )


def _sampler(asked: str, aims: Aims) -> str:
    """The sampler: by default `tpe+gp`, where there is one goal and no limit."""
    several = "two goals" if aims.several else "limits" if aims.limits else ""
    if asked == "tpe+gp" and several:
        raise UserError(f"--sampler {asked} does not learn from {several}\nleave --sampler out")
    if asked == "auto":
        return "tpe" if several else "tpe+gp"
    return asked


def _scheduler(asked: str, aims: Aims) -> str:
    """The scheduler: by default `predictive`, where it can compare trials before their end."""
    if asked in ("predictive", "asha") and aims.rung_metric is None:
        reason = "two goals" if aims.several else f"{aims.metric}, which is measured at the end"
        raise UserError(
            f"--scheduler {asked} cannot compare trials by {reason}\n"
            "leave --scheduler out: every trial trains to its end then"
        )
    if asked == "auto":
        return "predictive" if aims.rung_metric else "none"
    return asked


def _check_batch(space: Space, images: int) -> None:
    """Every batch of the space must fit into the data: an epoch has at least one step."""
    sizes = values(space["batch_size"]) if "batch_size" in space else []
    too_large = [size for size in sizes if size > images]
    if too_large:
        fitting = ",".join(str(size) for size in sizes if size <= images)
        fix = f"or choose smaller ones: --set batch_size={fitting}" if fitting else ""
        raise UserError(
            f"batches of {too_large[0]} do not fit into {images} training images\n"
            f"use more images {fix}".rstrip()
        )

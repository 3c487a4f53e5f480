"""From the command's options to a settled plan: everything that can be wrong is found here.

Nothing is written before a plan exists, so that a mistake leaves nothing half-made behind.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.storages import RDBStorage

from search import cluster, nodes, spaces, study as studies, survey, tracking_address
from search.errors import UserError
from search.home import HOME
from search.pipeline import Params, Pipeline, Scalar, experiment_name, load_pipeline
from search.resources import (
    Resources,
    check_fits,
    choose_device,
    cpu_count,
    gpu_count,
    share,
)
from search.rungs import rungs
from trainers.data import TrainingData, load_training


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A search, settled.

    Attributes:
        pipeline_name, pipeline: what is searched.
        space, defaults: after `--set`.
        data: images and labels of the split, never the test set.
        epochs: the full budget of a trial.
        trials: how many trials the study is to have in the end.
        resources: where and how many at a time.
        home: the folder of all stores.
        tracking_uri: of MLflow.
        study, resume: the name asked for, if any; whether to go on with an existing one.
        settings: what `--set` was given, word by word.
        arguments: the command's words, for the command that goes on.
    """

    pipeline_name: str
    pipeline: Pipeline
    space: spaces.Space
    defaults: Mapping[str, Scalar]
    data: TrainingData
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
    quiet: bool
    settings: tuple[str, ...]
    arguments: tuple[str, ...]

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs at which everything is measured, and trials are compared."""
        return rungs(self.epochs, self.pipeline.grace)

    @property
    def experiment(self) -> str:
        """MLflow's experiment: stand-in data has one of its own."""
        return experiment_name(self.pipeline_name, mini=self.data.source == "mini")

    @property
    def identity(self) -> dict[str, Any]:
        """What must not change when a study is resumed."""
        return {
            "pipeline": self.pipeline_name,
            "data": self.data.source,
            "fingerprint": self.data.fingerprint,
            "train_size": len(self.data.train),
            "epochs": self.epochs,
            "seed": self.seed,
            "space": spaces.signature(self.space),
        }

    def new_name(self) -> str:
        """A study's name from the pipeline and the time."""
        return f"{self.experiment}-{datetime.now():%Y%m%d-%H%M%S}"

    def choose_study(self, storage: RDBStorage | None) -> tuple[str, bool]:
        """The study's name, and whether it exists; `storage` is None where there is none yet.

        Raises:
            UserError: a name is taken, or there is nothing to resume.
        """
        if self.study:
            exists = storage is not None and self.study in studies.study_names(storage)
            if exists and not self.resume:
                raise UserError(
                    f"there is a study {self.study!r} already\n"
                    "add --resume to go on with it, or give another --study"
                )
            return self.study, exists
        if not self.resume:
            return self.new_name(), False
        source = self.data.source
        found = studies.study_names(storage, self.pipeline_name, source) if storage else []
        if not found:
            raise UserError(
                f"--resume: {self.pipeline_name} has no study on {source} data here\n"
                "leave --resume out to start one"
            )
        return found[-1], True


def settle(options: Namespace) -> Plan:
    """Check every option and load the data.

    Raises:
        UserError, DataError: what is wrong, and how to mend it.
    """
    home = HOME.absolute()
    pipeline = load_pipeline(options.pipeline)
    space, defaults = spaces.narrow(pipeline.space, pipeline.defaults, options.set)
    uri = tracking_address.resolve_uri(options.tracking_uri, home)
    tracking_address.probe(uri)
    if options.address:
        cluster.probe_address(options.address)
    resources = plan_resources(options, space, defaults)
    data = load_training(
        pipeline.dataset,
        data_dir=options.data_dir,
        mini=options.data == "mini",
        train_size=options.train_size,
    )
    _check_batch(space, len(data.train))
    return Plan(
        pipeline_name=options.pipeline,
        pipeline=pipeline,
        space=space,
        defaults=defaults,
        data=data,
        epochs=options.epochs or pipeline.epochs,
        trials=options.trials,
        seed=options.seed,
        sampler=options.sampler,
        scheduler=options.scheduler,
        time_budget=options.time_budget,
        resources=resources,
        address=options.address,
        home=home,
        tracking_uri=uri,
        study=options.study,
        resume=options.resume,
        quiet=options.quiet,
        settings=tuple(options.set),
        arguments=tuple(options.arguments),
    )


def plan_resources(options: Namespace, space: spaces.Space, defaults: Params) -> Resources:
    """Device, precision, and how many trials share the machine, or the cluster that is joined."""
    asked = options.device, options.gpus_per_trial
    if options.address:
        where, ask = "the cluster", nodes.survey
        cpus, gpus = cluster.join(options.address)
        device = choose_device(*asked, gpus=gpus, none=f"Ray counts no GPU on {options.address}")
    else:
        where, ask = "this machine", survey.here
        cpus, gpus = cpu_count(), gpu_count()
        device = choose_device(*asked, gpus=gpus)
    # Before anything is measured: torch would really start as many threads as it is told.
    check_fits(
        cpus=cpus,
        gpus=gpus,
        cpus_per_trial=options.cpus_per_trial,
        gpus_per_trial=options.gpus_per_trial,
        where=where,
    )
    part = options.gpus_per_trial or 0.0
    measure_part = device == "cuda" and not part
    found = ask(
        survey.Question(
            device=device,
            threads=options.cpus_per_trial or 1,
            pipeline=options.pipeline,
            params=dict(spaces.largest(space, defaults)) if measure_part else None,
        )
    )
    if measure_part:
        part = found.share(most=max(1, options.concurrency or cpus))
    return share(
        device=device,
        precision=found.precision,
        cpus=cpus,
        gpus=gpus,
        concurrency=options.concurrency,
        cpus_per_trial=options.cpus_per_trial,
        gpus_per_trial=part,
    )


def _check_batch(space: spaces.Space, images: int) -> None:
    """Every batch of the space must fit into the data: an epoch has at least one step."""
    distribution = space.get("batch_size")
    sizes: list[int] = []
    if isinstance(distribution, CategoricalDistribution):
        sizes = [int(choice) for choice in distribution.choices]  # type: ignore[arg-type]
    elif isinstance(distribution, IntDistribution):
        sizes = [distribution.high]
    too_large = [size for size in sizes if size > images]
    if too_large:
        fitting = ",".join(str(size) for size in sizes if size <= images)
        mend = f"or choose smaller ones: --set batch_size={fitting}" if fitting else ""
        raise UserError(
            f"--train-size {images}: batches of {too_large[0]} images do not fit\n"
            f"use more images {mend}".rstrip()
        )

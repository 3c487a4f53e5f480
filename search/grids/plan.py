"""From the options of `sweep.py` to a settled grid: everything that can be wrong is found here."""

from __future__ import annotations

import hashlib
import json
import time
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from search.errors import UserError
from search.finals.cells import Cell
from search.finals.seeds import final_seeds
from search.home import HOME
from search.pipeline import Scalar, load_pipeline
from search.plan import plan_resources
from search.resources import Resources
from search.sweeping.sweep import Budget, Point, Sweep, load_sweep, sweep_experiment
from search.timing import time_training
from trainers.classifier import fit_classifier
from trainers.data import DATASETS, TrainingData, load_training
from trainers.evaluation import passes

TIMED = 3  # points of a pipeline that the forecast times
TEST_IMAGES = 10_000  # of both data sets, read once for every training
FORWARD = 3  # a pass without gradients takes about a third of a training step
FORECAST_PASSES = 4  # of the classifier's: a part is enough to know what all take


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """A sweep, settled.

    Attributes:
        name, sweep: what is trained.
        points: the grid.
        seeds: fresh ones, the same for every point.
        epochs: of the trainings, by pipeline.
        data: train and validation images, by data set.
        home: the folder of all stores.
    """

    name: str
    sweep: Sweep
    quick: bool
    points: tuple[Point, ...]
    seeds: tuple[int, ...]
    epochs: Mapping[str, int]
    data: Mapping[str, TrainingData]
    data_dir: str | None
    resources: Resources
    address: str | None
    home: Path
    tracking_uri: str
    silent: bool

    @property
    def mini(self) -> bool:
        """Whether the data is a stand-in."""
        return any(data.source == "mini" for data in self.data.values())

    @property
    def experiment(self) -> str:
        """MLflow's experiment."""
        return sweep_experiment(self.name, mini=self.mini)

    @property
    def id(self) -> str:
        """Twelve hex digits: equal for equal work, so that an interrupted sweep is found again."""
        cells = sorted(cell.id for point in self.points for cell in self.cells(point))
        text = json.dumps([self.name, self.sweep.measure_version, cells])
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def dataset(self, point: Point) -> str:
        """A key of `data`."""
        return load_pipeline(point.pipeline).dataset

    def params(self, point: Point) -> dict[str, Scalar]:
        """The pipeline's defaults with the point's changes."""
        return {**load_pipeline(point.pipeline).defaults, **point.changes}

    def cells(self, point: Point) -> list[Cell]:
        """Its trainings, one a seed."""
        data = self.data[self.dataset(point)]
        trained = point.kind == "trained"
        return [
            Cell(
                kind=point.kind,
                dataset=data.dataset,
                data=data.fingerprint,
                train_size=len(data.train),
                seed=seed,
                pipeline=point.pipeline if trained else "",
                params=self.params(point) if trained else dict(point.changes),
                epochs=self.epochs[point.pipeline] if trained else 0,
            )
            for seed in self.seeds
        ]

    def cells_of(self, dataset: str, *kinds: str) -> list[Cell]:
        """All cells on that data set; with `kinds` only those."""
        return [
            cell
            for point in self.points
            if self.dataset(point) == dataset and point.kind in (kinds or (point.kind,))
            for cell in self.cells(point)
        ]


def settle(options: Namespace, name: str, tracking_uri: str) -> SweepPlan:
    """Check every option and load the data.

    Raises:
        UserError, DataError: what is wrong, and how to mend it.
    """
    sweep = load_sweep(name)
    budget = _budget(sweep, options)
    points = tuple(sweep.points(options.quick))
    names = list(dict.fromkeys(point.pipeline for point in points))
    pipelines = {name: load_pipeline(name) for name in names}
    mini = options.data == "mini"
    data = {
        dataset: load_training(
            dataset,
            data_dir=None if mini else options.data_dir,
            mini=mini,
            train_size=budget.train_size,
        )
        for dataset in dict.fromkeys(pipeline.dataset for pipeline in pipelines.values())
    }
    options.pipeline = names[-1]  # the dearest by convention: a GPU's share is measured with it
    made = SweepPlan(
        name=name,
        sweep=sweep,
        quick=options.quick,
        points=points,
        seeds=final_seeds(options.seed, budget.seeds),
        epochs={name: budget.epochs or pipelines[name].epochs for name in names},
        data=data,
        data_dir=None if mini else options.data_dir,
        resources=plan_resources(
            options, pipelines[names[-1]].space, pipelines[names[-1]].defaults
        ),
        address=options.address,
        home=HOME.absolute(),
        tracking_uri=tracking_uri,
        silent=options.quiet,
    )
    _check_batches(made)
    return made


def _budget(sweep: Sweep, options: Namespace) -> Budget:
    """The sweep's, with what the options say instead."""
    usual = sweep.quick if options.quick else sweep.full
    size = options.train_size or usual.train_size
    if options.data == "mini" and not options.train_size:
        size = None  # there are fewer images than a quick grid asks for
    return Budget(
        seeds=options.seeds or usual.seeds, epochs=options.epochs or usual.epochs, train_size=size
    )


def _check_batches(plan: SweepPlan) -> None:
    """Every batch must fit into the data: an epoch has at least one step."""
    for point in plan.points:
        size, images = plan.params(point)["batch_size"], len(plan.data[plan.dataset(point)].train)
        if int(size) > images:
            raise UserError(
                f"{plan.name}: a batch of {point.pipeline} has {size} images, there are {images}\n"
                "give a larger --train-size"
            )


def forecast(plan: SweepPlan, missing: Mapping[str, list[Cell]], unmeasured: int) -> float:
    """Seconds that the cells which are missing will take, from a few timed steps.

    Args:
        missing: by data set.
        unmeasured: cells that the sweep still measures.
    """
    seconds, rates = 0.0, []
    for dataset, cells in missing.items():
        data = plan.data[dataset]
        by_pipeline: dict[str, list[Cell]] = {}
        for cell in cells:
            if cell.kind == "trained":
                by_pipeline.setdefault(cell.pipeline, []).append(cell)
        fits = _classifier_seconds(data, plan)
        seconds += fits * (len(cells) - sum(map(len, by_pipeline.values())))
        for name, mine in by_pipeline.items():
            pipeline = load_pipeline(name)
            step = max(1, len(mine) // TIMED)
            timed = [
                time_training(pipeline, cell.params, data, plan.resources, seed=0)[0]
                for cell in mine[::step][:TIMED]
            ]
            rate = len(timed) / sum(1 / one for one in timed)
            rates.append(rate)
            seconds += len(mine) * (plan.epochs[name] * len(data.train) / rate + fits)
            seconds += len(mine) * TEST_IMAGES / (FORWARD * rate)
    seconds /= plan.resources.concurrency
    images = plan.sweep.measured_images(plan.quick) * unmeasured
    if images:
        point = plan.points[-1]
        rate, _ = time_training(
            load_pipeline(point.pipeline),
            plan.params(point),
            plan.data[plan.dataset(point)],
            plan.resources,
            seed=0,
        )
        seconds += images / rate / max(1, plan.resources.cpus)
    return seconds


def _classifier_seconds(data: TrainingData, plan: SweepPlan) -> float:
    """What measuring a training takes, most of which is the classifier on its latents."""
    device = torch.device(plan.resources.device)
    generator = torch.Generator(device).manual_seed(0)
    latents = torch.randn(len(data.train), 128, generator=generator, device=device)
    labels = torch.as_tensor(data.train.labels, device=device).long()
    threads = torch.get_num_threads()
    torch.set_num_threads(plan.resources.cpus_per_trial)
    began = time.perf_counter()
    try:
        fit_classifier(
            latents,
            labels,
            classes=len(data.classes),
            seed=0,
            epochs=FORECAST_PASSES,
            precision=plan.resources.precision,
        )
    finally:
        torch.set_num_threads(threads)
    whole = passes(digits=DATASETS[data.dataset].digits)
    return (time.perf_counter() - began) * whole / FORECAST_PASSES

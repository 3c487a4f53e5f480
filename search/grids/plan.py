"""From the options of `sweep.py` to a settled grid: everything that can be wrong is found here."""

from __future__ import annotations

import hashlib
import json
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass

from search.cells.cell import Cell
from search.cells.plan import CellPlan, final_seeds
from search.cluster.allocation import plan_resources
from search.errors import UserError
from search.files.home import HOME
from search.grids.sweep import Budget, Point, Sweep, load_sweep, sweep_experiment
from search.spaces.pipeline import Scalar, load_pipeline
from trainers.data import TrainingData, load_training


@dataclass(frozen=True, kw_only=True)
class SweepPlan(CellPlan):
    """A sweep, settled.

    Attributes:
        epochs: of the trainings, by pipeline.
        data: train and validation images, by data set.
    """

    sweep: Sweep
    quick: bool
    points: tuple[Point, ...]
    epochs: Mapping[str, int]
    data: Mapping[str, TrainingData]

    @property
    def mini(self) -> bool:
        return any(data.source == "mini" for data in self.data.values())

    @property
    def experiment(self) -> str:
        return sweep_experiment(self.name, mini=self.mini)

    @property
    def id(self) -> str:
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
        params = self.params(point) if point.kind == "trained" else point.changes
        data, epochs = self.data[self.dataset(point)], self.epochs[point.pipeline]
        return self.row(data, point.kind, point.pipeline, params, epochs)

    def cells_of(self, dataset: str, *kinds: str) -> list[Cell]:
        """All cells on that data set; with `kinds` only those."""
        return [
            cell
            for point in self.points
            if self.dataset(point) == dataset and point.kind in (kinds or (point.kind,))
            for cell in self.cells(point)
        ]


def make_plan(options: Namespace, name: str, tracking_uri: str) -> SweepPlan:
    """Check every option and load the data.

    Raises:
        UserError, DataError: an option or the data is wrong; the message says how to fix it.
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
    # The most expensive by convention: a GPU's share is measured with it.
    measured, by = names[-1], pipelines[names[-1]]
    plan = SweepPlan(
        name=name,
        sweep=sweep,
        quick=options.quick,
        points=points,
        seeds=final_seeds(options.seed, budget.seeds),
        epochs={name: budget.epochs or pipelines[name].epochs for name in names},
        data=data,
        data_dir=None if mini else options.data_dir,
        resources=plan_resources(options, measured, by.space, by.defaults),
        address=options.address,
        home=HOME.absolute(),
        tracking_uri=tracking_uri,
        quiet=options.quiet,
    )
    _check_batches(plan)
    return plan


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

"""Trains cells through Ray, and keeps each as soon as it is trained."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from search.cells.cell import Cell, Curves
from search.cells.plan import CellPlan
from search.cells.store import CellStore
from search.cli.progress import Progress
from search.cli.signals import StopOnSignal
from search.cluster import nodes, ray_session
from search.cluster.resources import Resources
from search.cluster.searcher import TrialSearcher, TrialSource
from search.cluster.tuner import train
from search.errors import Failure
from search.files.home import ROOT
from search.spaces.goals import Aims
from search.spaces.pipeline import METRIC
from search.tracking import provenance
from search.trials.config import TrialConfig
from search.trials.outcome import TrialOutcome
from trainers.data import TrainingData


def trial_config(cell: Cell, *, number: int, group: str, resources: Resources) -> TrialConfig:
    """The cell as a trial: what a worker needs to train it."""
    return TrialConfig(
        trial_id=cell.id,
        number=number,
        study=group,
        pipeline=cell.pipeline,
        params=dict(cell.params),
        seed=cell.seed,
        epochs=cell.epochs,
        **resources.of_a_trial(),
        final=True,
        ablation=cell.kind == "ablation",
        images=cell.images,
        source=cell.source,
    )


def facts(resources: Resources) -> dict[str, Any]:
    """Where, when and with what a cell is trained; stored with it."""
    return {
        **resources.of_a_trial(),
        "concurrency": resources.concurrency,
        "machine": provenance.machine(resources.device),
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": provenance.versions(),
        "commit": provenance.source_tags(ROOT).get("mlflow.source.git.commit", ""),
    }


class CellWriter:
    """A listener that gathers a cell's curves and puts it into the store at its end.

    Attributes:
        failures: cell -> why it could not be trained.
        broken: why no further training can be kept, and what to do; None while they can.
    """

    def __init__(self, cell_store: CellStore, cells: Sequence[Cell], resources: Resources) -> None:
        self._cell_store = cell_store
        self._cells = {cell.id: cell for cell in cells}
        self._facts = facts(resources)
        self._curves: dict[str, Curves] = {}
        self.failures: dict[Cell, str] = {}
        self.broken: str | None = None

    def trial_started(self, config: TrialConfig) -> None:
        """Nothing yet."""
        self._curves[config.trial_id] = []

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None:
        """One point of the curves, with the time at which it was reached."""
        stamped = {**metrics, "timestamp": float(int(time.time() * 1000))}
        self._curves[config.trial_id].append(stamped)

    def trial_ended(self, config: TrialConfig, outcome: TrialOutcome) -> None:
        """Keep it, or remember why not."""
        cell = self._cells[config.trial_id]
        curves = self._curves.pop(config.trial_id)
        if outcome.state == "INTERRUPTED":
            self.broken = outcome.error or self.broken
            return  # its checkpoint stays, and it goes on from there
        if outcome.state == "COMPLETE" and outcome.weights:
            weights = Path(outcome.weights)
            self._cell_store.keep(cell, weights=weights, curves=curves, facts=self._facts)
        elif outcome.state == "FAIL":
            self.failures[cell] = outcome.error or "unknown"
        shutil.rmtree(self._cell_store.trials / config.trial_id, ignore_errors=True)


class FixedTrials(TrialSource):
    """A source of trials that has them all, in order; listeners keep what comes of them."""

    def __init__(self, configs: Iterable[TrialConfig]) -> None:
        self._configs = iter(configs)

    def next_trial(self) -> TrialConfig | None:
        """The next of the list."""
        return next(self._configs, None)

    def report(self, *unused: Any, **more: Any) -> None:
        """Nothing: a listener keeps it."""

    end = close = report


def train_cells(
    cells: Sequence[Cell],
    *,
    plan: CellPlan,
    cell_store: CellStore,
    title: str,
    data: TrainingData,
    screen: IO[str],
    stop: StopOnSignal,
) -> dict[Cell, str]:
    """Train those of `cells` that are missing; returns those that failed, and why.

    Args:
        title: heads the live table.
        stop: ends everything once its event is set.

    Raises:
        UserError: weights can no longer be written.
    """
    resources, address = plan.resources, plan.address
    missing = cell_store.missing(cells)
    for kept in set(cells).difference(missing):  # a process that was killed may have left it
        shutil.rmtree(cell_store.trials / kept.id, ignore_errors=True)
    if not missing or stop.event.is_set():
        return {}
    configs = [
        trial_config(cell, number=number, group=title, resources=resources)
        for number, cell in enumerate(missing, start=1)
    ]
    aims = Aims.of(METRIC if data.classes else "valid/view_information")
    keeper = CellWriter(cell_store, missing, resources)
    progress = Progress(
        screen,
        title=title,
        total=len(missing),
        ended=Counter(),
        quiet=plan.quiet,
        noun="training",
        aims=aims,
    )
    if address:
        nodes.check(address, plan.home, data, resources)
    ray_folder = plan.home / "ray" / "finals"
    searcher = TrialSearcher(FixedTrials(configs), aims=aims, listeners=[keeper, progress])
    try:
        with progress, ray_session.running(resources, data, address, stop.listen):
            train(
                searcher,
                trials=len(configs),
                scheduler=None,
                data=data,
                resources=resources,
                folder=cell_store.trials,
                ray_folder=ray_folder,
                over=stop.event.is_set,
            )
    finally:
        searcher.interrupt()
        shutil.rmtree(ray_folder, ignore_errors=True)
    if keeper.broken:
        raise Failure(f"{keeper.broken} and call again: what is trained is kept")
    return keeper.failures

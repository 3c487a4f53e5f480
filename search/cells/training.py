"""Trains cells through Ray, and keeps each as soon as it is trained."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ray.tune.search import Searcher

from search import nodes, provenance
from search.cluster import ROOT
from search.display import Progress
from search.errors import FAILED, UserError
from search.finals.cells import Cell, Curves, Shelf
from search.outcomes import Listener, Outcome, outcome_of, reported_metrics
from search.pipeline import METRIC
from search.ray_run import StopOnSignal, train
from search.resources import Resources
from search.trial import TrialConfig
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
        precision=resources.precision,
        device=resources.device,
        threads=resources.cpus_per_trial,
        final=True,
        ablation=cell.kind == "ablation",
    )


def facts(resources: Resources) -> dict[str, Any]:
    """Where, when and with what a cell is trained; stored with it."""
    return {
        "precision": resources.precision,
        "device": resources.device,
        "threads": resources.cpus_per_trial,
        "concurrency": resources.concurrency,
        "machine": provenance.machine(resources.device),
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": provenance.versions(),
        "commit": provenance.source_tags(ROOT).get("mlflow.source.git.commit", ""),
    }


class Keeper:
    """A listener that gathers a cell's curves and puts it on the shelf at its end.

    Attributes:
        failures: cell -> why it could not be trained.
        broken: why no further training can be kept, None while they can.
    """

    def __init__(self, shelf: Shelf, cells: Sequence[Cell], resources: Resources) -> None:
        self._shelf = shelf
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

    def trial_ended(self, config: TrialConfig, outcome: Outcome) -> None:
        """Keep it, or remember why not."""
        cell = self._cells[config.trial_id]
        curves = self._curves.pop(config.trial_id)
        if outcome.state == "INTERRUPTED":
            self.broken = outcome.error or self.broken
            return  # its checkpoint stays, and it goes on from there
        if outcome.state == "COMPLETE" and outcome.weights:
            self._shelf.keep(
                cell,
                weights=Path(outcome.weights),
                curves=curves,
                facts=self._facts,
            )
        elif outcome.state == "FAIL":
            self.failures[cell] = outcome.error or "unknown"
        shutil.rmtree(self._shelf.trials / config.trial_id, ignore_errors=True)


@dataclass
class _Live:
    config: TrialConfig
    epoch: int = 0
    value: float | None = None


class FixedTrials(Searcher):
    """A Ray searcher that hands out `configs`, in order, and reports to `listeners`."""

    def __init__(self, configs: Sequence[TrialConfig], listeners: Sequence[Listener]) -> None:
        super().__init__(metric=METRIC, mode="max")
        self._waiting = list(configs)
        self._listeners = listeners
        self._live: dict[str, _Live] = {}
        self._closed = False

    def suggest(self, trial_id: str) -> dict[str, Any] | str:  # type: ignore[override]
        """The next of the list."""
        if self._closed or not self._waiting:
            return Searcher.FINISHED
        config = self._waiting.pop(0)
        self._live[trial_id] = _Live(config)
        for listener in self._listeners:
            listener.trial_started(config)
        return config.to_json()

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A training goes on after this epoch."""
        live = self._live.get(trial_id)
        epoch = int(result.get("epoch", 0))
        if live is None or epoch <= live.epoch:
            return  # seen already: Ray repeats the last result at the end
        live.epoch = epoch
        live.value = result.get(METRIC, live.value)
        metrics = {"epoch": epoch, **reported_metrics(result)}
        for listener in self._listeners:
            listener.epoch_ended(live.config, metrics)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A training ended."""
        if result:
            self.on_trial_result(trial_id, result)
        live = self._live.pop(trial_id, None)
        if live is None:
            return
        outcome = outcome_of(
            result or {},
            metric=METRIC,
            value=live.value,
            trained=live.epoch >= live.config.epochs,
            died=error,
        )
        for listener in self._listeners:
            listener.trial_ended(live.config, outcome)

    def interrupt(self) -> None:
        """What is under way ends as INTERRUPTED."""
        self._closed = True
        for trial_id in list(self._live):
            self.on_trial_complete(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the shelf is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the shelf is the memory."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray writes its searcher to disk now and then and is never asked to read it."""
        return {}


def train_cells(
    cells: Sequence[Cell],
    *,
    shelf: Shelf,
    title: str,
    data: TrainingData,
    resources: Resources,
    address: str | None,
    home: Path,
    screen: IO[str],
    quiet: bool,
    stop: StopOnSignal,
) -> dict[Cell, str]:
    """Train those of `cells` that are not on the shelf; returns those that failed, and why.

    Args:
        title: heads the live table.
        home: the folder of all stores.
        screen: where the live table goes.
        stop: ends everything once its event is set.

    Raises:
        UserError: weights can no longer be written.
    """
    missing = shelf.missing(cells)
    if not missing or stop.event.is_set():
        return {}
    configs = [
        trial_config(cell, number=number, group=title, resources=resources)
        for number, cell in enumerate(missing, start=1)
    ]
    keeper = Keeper(shelf, missing, resources)
    progress = Progress(
        screen,
        title=title,
        total=len(missing),
        ended=Counter(),
        quiet=quiet,
        noun="training",
    )
    if address:
        nodes.check(address, home, data, resources)
    ray_folder = home / "ray" / "finals"
    source = FixedTrials(configs, [keeper, progress])
    try:
        with progress:
            train(
                source,
                trials=len(configs),
                scheduler=None,
                data=data,
                resources=resources,
                address=address,
                folder=shelf.trials,
                ray_folder=ray_folder,
                stop=stop,
            )
    finally:
        source.interrupt()
        shutil.rmtree(ray_folder, ignore_errors=True)
    if keeper.broken:
        raise UserError(
            f"{keeper.broken}\nmake room and call again: what is trained is kept", status=FAILED
        )
    return keeper.failures

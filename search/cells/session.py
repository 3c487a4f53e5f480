"""Steps that rerun and sweep share: train cells, read the test set once each, stop in order."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import torch

from search.cells import baselines
from search.cells.cell import Cell
from search.cells.heldout import LEDGER, TestSet
from search.cells.plan import CellPlan
from search.cells.runs import CellRuns
from search.cells.store import CellStore, TrainedCell
from search.cells.training import train_cells
from search.cli import output
from search.cli.signals import Interrupted, StopOnSignal
from search.cluster.resources import cpu_count
from trainers.data import TrainingData


class CellSession:
    """Trains and tests the cells of one rerun or sweep.

    Args:
        stop: asked between any two steps.

    Attributes:
        failures: cell -> why it could not be trained.
    """

    def __init__(
        self, plan: CellPlan, cell_store: CellStore, stop: StopOnSignal, screen: IO[str]
    ) -> None:
        self._plan = plan
        self._cell_store = cell_store
        self._stop = stop
        self._screen = screen
        self.console = output.console(screen, quiet=plan.quiet)
        self.failures: dict[Cell, str] = {}

    def raise_if_interrupted(self) -> None:
        """Between two steps."""
        if self._stop.event.is_set():
            raise Interrupted

    def train(self, cells: Sequence[Cell], what: str, data: TrainingData) -> None:
        """Train those that are missing; `what` is shown above the progress."""
        self.failures |= train_cells(
            cells,
            plan=self._plan,
            cell_store=self._cell_store,
            title=f"{self._plan.experiment}: {what}",
            data=data,
            screen=self._screen,
            stop=self._stop,
        )
        self.raise_if_interrupted()

    def make_baselines(self, cells: Sequence[Cell], data: TrainingData) -> None:
        """Make those that are missing of cells that no epoch is trained for."""
        baselines.make_missing(
            cells,
            cell_store=self._cell_store,
            data=data,
            resources=self._plan.resources,
            screen=self._screen,
            quiet=self._plan.quiet,
            raise_if_interrupted=self.raise_if_interrupted,
        )

    def read_test(
        self, data: TrainingData, cells: Iterable[tuple[TrainedCell, str]]
    ) -> Iterator[tuple[TrainedCell, int]]:
        """Read the test set for cells that were never tested: (cell, purpose) of each.

        Yields each with how many times its weights have been tested now.
        """
        plan, test = self._plan, None
        torch.set_num_threads(cpu_count())
        for cell, purpose in cells:
            if cell.tested:  # or by a pair before: two may share a training
                continue
            self.raise_if_interrupted()
            test = test or TestSet(
                data,
                data_dir=plan.data_dir,
                ledger=plan.home / LEDGER,
                device=plan.resources.driver_device,
                say=functools.partial(output.warn, self.console),
            )
            yield cell, test.read(cell, purpose=purpose)["reading"]["reading"]


@contextmanager
def closing(records: CellRuns) -> Iterator[None]:
    """Close the run whatever breaks the work off."""
    try:
        yield
    except BaseException as error:
        interrupted = isinstance(error, Interrupted | KeyboardInterrupt)
        records.end("KILLED" if interrupted else "FAILED")
        raise

"""The steps of a sweep from its plan to its answer: this module connects the parts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from search.cells.cell import Cell
from search.cells.metrics import cell_metrics
from search.cells.session import CellSession, closing
from search.cells.store import CellStore, TrainedCell
from search.cli import output
from search.cli.signals import StopOnSignal
from search.errors import Failure
from search.files import seals
from search.grids.forecast import forecast
from search.grids.measuring import measure_all
from search.grids.plan import SweepPlan
from search.grids.records import Records
from search.grids.results import GridResult, GridRow
from search.grids.screen import announce, show_forecast
from search.grids.sweep import Point
from search.tracking.store import Store


class SweepSession:
    """The steps of one sweep, in their order."""

    def __init__(self, plan: SweepPlan, store: Store, stop: StopOnSignal, console: Console) -> None:
        self._plan = plan
        self._stop = stop
        self._console = console
        self._store = store
        self._warn = functools.partial(output.warn, console)
        self._cell_store = CellStore(plan.home / "finals", say=self._warn)

    def finish(self) -> tuple[GridResult, list[str]]:
        """The results, and the answer in sentences."""
        plan = self._plan
        missing = {name: self._cell_store.missing(plan.cells_of(name)) for name in plan.data}
        everything = [cell for name in plan.data for cell in plan.cells_of(name)]
        unmeasured = [cell for cell in dict.fromkeys(everything) if self._known(cell) is None]
        announce(self._console, plan, missing)
        if any(missing.values()) or (plan.sweep.measure and unmeasured):
            show_forecast(self._console, forecast(plan, missing, len(unmeasured)))
        records = Records(plan, self._store)
        log_file = plan.home / "finals" / f"{plan.experiment}.log"
        with closing(records):
            with output.output_to(log_file) as screen:
                session = CellSession(plan, self._cell_store, self._stop, screen)
                self._train(session)
                self._read_test(session)
                measured = self._measure(session)
            for point, kept in self._trained():
                records.record(kept, point, _metrics(measured.get(kept.cell.id, {})))
            for line in records.restored:
                self._warn(f"restored in MLflow: {line}")
            outcome = self._outcome(measured, session.failures)
            if not outcome.rows:
                reason = next(iter(session.failures.values()), "unknown")
                raise Failure(f"nothing of {plan.name} could be trained: {reason}")
            answer = plan.sweep.answer(outcome)
            records.conclude(outcome, answer)
        return outcome, answer

    def _train(self, session: CellSession) -> None:
        for name, data in self._plan.data.items():
            session.make_baselines(self._plan.cells_of(name, "pca"), data)
            session.train(self._plan.cells_of(name, "trained"), name, data)

    def _trained(self, dataset: str | None = None) -> list[tuple[Point, TrainedCell]]:
        """Every point with each of its trainings that are there."""
        plan = self._plan
        return [
            (point, kept)
            for point in plan.points
            if dataset in (None, plan.dataset(point))
            for kept in self._cell_store.found(plan.cells(point))
        ]

    def _read_test(self, session: CellSession) -> None:
        """Once for every training of the finished grid."""
        plan = self._plan
        for name, data in plan.data.items():
            unread = [kept for _, kept in self._trained(name) if not kept.tested]
            if unread:
                text = f"reading the {name} test set for {len(unread)} trainings"
                session.console.print(text, style="dim")
            for _ in session.read_test(data, ((k, f"{plan.experiment} {plan.id}") for k in unread)):
                pass

    def _measured_file(self, cell: Cell) -> Path:
        plan = self._plan
        grid = "quick" if plan.quick else "full"
        file = f"sweep-{plan.name}-{grid}-{plan.sweep.measure_version}.json"
        return self._cell_store.folder / cell.id / file

    def _known(self, cell: Cell) -> dict[str, Any] | None:
        """The stored values of the sweep's measure; None where they are missing or damaged."""
        try:
            values = seals.read(self._measured_file(cell))
        except (OSError, ValueError):
            return None
        values.pop(seals.HASHES, None)
        return values

    def _measure(self, session: CellSession) -> dict[str, dict[str, Any]]:
        """Measure every training in the sweep's own way: cell -> values."""
        plan = self._plan
        if plan.sweep.measure is None:
            return {}
        measured: dict[str, dict[str, Any]] = {}
        for name, data in plan.data.items():
            trained = {kept.cell.id: kept for _, kept in self._trained(name)}
            left = [kept for kept in trained.values() if self._known(kept.cell) is None]
            measure_all(
                plan.name,
                [(kept, self._measured_file(kept.cell)) for kept in left],
                quick=plan.quick,
                data=data,
                resources=plan.resources,
                stopping=self._stop.event.is_set,
                done=functools.partial(_say_measured, session.console, len(left)),
            )
            session.raise_if_interrupted()
            measured |= {cell: self._known(kept.cell) or {} for cell, kept in trained.items()}
        return measured

    def _outcome(
        self, measured: Mapping[str, dict[str, Any]], failures: Mapping[Cell, str]
    ) -> GridResult:
        plan = self._plan
        rows = []
        for point in plan.points:
            kept = self._cell_store.found(plan.cells(point))
            if not kept:
                continue
            own = [measured.get(one.cell.id, {}) for one in kept]
            every = [cell_metrics(one) | _metrics(of) for one, of in zip(kept, own, strict=True)]
            rows.append(
                GridRow(
                    line=point.line,
                    x=point.x,
                    pipeline=point.pipeline,
                    dataset=plan.dataset(point),
                    changes=dict(point.changes),
                    cells=tuple(one.cell.id for one in kept),
                    seeds=tuple(one.cell.seed for one in kept),
                    metrics={
                        name: [values[name] for values in every]
                        for name in every[0]
                        if all(name in values for values in every)
                    },
                    measured=list(filter(None, own)),
                )
            )
        return GridResult(
            name=plan.name,
            rows=tuple(rows),
            quick=plan.quick,
            mini=plan.mini,
            train_size={name: len(data.train) for name, data in plan.data.items()},
            epochs=dict(plan.epochs),
            failures={
                f"{cell.pipeline} {dict(cell.params)} seed {cell.seed}": why
                for cell, why in failures.items()
            },
        )


def _say_measured(say: Console, total: int, number: int) -> None:
    say.print(f"measured {number}/{total}", style="dim")


def _metrics(measured: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among what was measured."""
    return {name: value for name, value in measured.items() if isinstance(value, float)}

"""A sweep from its plan to its last line: trains, reads the test set once, measures, records."""

from __future__ import annotations

import functools
import json
import shlex
from argparse import Namespace
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import torch
from rich.console import Console

from search import cluster, tracking, tracking_address
from search.errors import FAILED, INTERRUPTED, UserError
from search.finals import baselines
from search.finals.cells import Cell, Kept, Shelf
from search.finals.measurement import LEDGER, TestSet
from search.finals.results import cell_metrics
from search.finals.training import train_cells
from search.home import HOME, check_disk
from search.ray_run import StopOnSignal
from search.resources import cpu_count
from search.sweeping import table
from search.sweeping.measuring import measure_all
from search.sweeping.outcome import Outcome, Row
from search.sweeping.plan import SweepPlan, forecast, settle
from search.sweeping.records import Records
from search.sweeping.sweep import Point, sweep_names


class Interrupted(Exception):
    """A signal asked to stop; what is done is kept."""


def run(options: Namespace) -> int:
    """Train the sweeps as the options say; returns the exit status."""
    home = HOME.absolute()
    uri = tracking_address.resolve_uri(options.tracking_uri, home)
    tracking_address.probe(uri)
    console = Console(highlight=False, quiet=options.quiet)
    names = sweep_names() if options.sweep == "all" else [options.sweep]
    plans = [settle(options, name, uri) for name in names]
    check_disk(home)
    outcomes: list[Outcome] = []
    with ExitStack() as held, StopOnSignal() as stop:
        held.enter_context(Shelf(home / "finals").locked())
        store = tracking.Store(uri)
        try:
            for plan in plans:
                outcome, answer = _Sweeping(plan, store, stop, console).finish()
                outcomes.append(outcome)
                table.show(console, plan, outcome, answer)
        except Interrupted:
            again = shlex.join(["python", "search/sweep.py", *options.arguments])
            console.print(
                "interrupted; what is trained is kept. To go on: "
                + tracking_address.without_secrets(again),
                markup=False,
                soft_wrap=True,
            )
            return INTERRUPTED
    if options.json:
        _write_json(Path(options.json), outcomes)
    table.conclude(console, plans[-1])
    return FAILED if any(outcome.failures for outcome in outcomes) else 0


class _Sweeping:
    """The steps of one sweep, in their order."""

    def __init__(
        self, plan: SweepPlan, store: tracking.Store, stop: StopOnSignal, console: Console
    ) -> None:
        self._plan = plan
        self._stop = stop
        self._console = console
        self._store = store
        self._shelf = Shelf(plan.home / "finals")
        self._failures: dict[Cell, str] = {}

    def finish(self) -> tuple[Outcome, list[str]]:
        """What was found, and the answer in sentences."""
        plan = self._plan
        missing = {name: self._shelf.missing(plan.cells_of(name)) for name in plan.data}
        everything = [cell for name in plan.data for cell in plan.cells_of(name)]
        unmeasured = [c for c in dict.fromkeys(everything) if not self._measured_file(c).exists()]
        table.announce(self._console, plan, missing)
        if any(missing.values()) or (plan.sweep.measure and unmeasured):
            table.show_forecast(self._console, forecast(plan, missing, len(unmeasured)))
        records = Records(plan, self._store)
        log_file = plan.home / "finals" / f"{plan.experiment}.log"
        try:
            with cluster.output_to(log_file) as screen:
                self._train(screen)
                self._read_test(screen)
                measured = self._measure(screen)
            for point, kept in self._trained():
                records.record(kept, point, _metrics(measured.get(kept.cell.id, {})))
            outcome = self._outcome(measured)
            if not outcome.rows:
                reason = next(iter(self._failures.values()), "unknown")
                raise UserError(f"nothing of {plan.name} could be trained: {reason}", status=FAILED)
            answer = plan.sweep.answer(outcome)
            records.conclude(outcome, answer)
        except BaseException as error:
            records.end(
                "KILLED" if isinstance(error, Interrupted | KeyboardInterrupt) else "FAILED"
            )
            raise
        return outcome, answer

    def _go_on(self) -> None:
        if self._stop.event.is_set():
            raise Interrupted

    def _train(self, screen: IO[str]) -> None:
        plan = self._plan
        for name, data in plan.data.items():
            baselines.make_missing(
                plan.cells_of(name, "pca"),
                shelf=self._shelf,
                data=data,
                resources=plan.resources,
                screen=screen,
                quiet=plan.silent,
                go_on=self._go_on,
            )
            self._failures |= train_cells(
                plan.cells_of(name, "trained"),
                shelf=self._shelf,
                title=f"{plan.experiment}: {name}",
                data=data,
                resources=plan.resources,
                address=plan.address,
                home=plan.home,
                screen=screen,
                quiet=plan.silent,
                stop=self._stop,
            )
            self._go_on()

    def _trained(self, dataset: str | None = None) -> list[tuple[Point, Kept]]:
        """Every point with each of its trainings that are there."""
        plan = self._plan
        found = []
        for point in plan.points:
            if dataset in (None, plan.dataset(point)):
                kept = (self._shelf.find(cell) for cell in plan.cells(point))
                found += [(point, one) for one in kept if one is not None]
        return found

    def _read_test(self, screen: IO[str]) -> None:
        """Once for every training of the finished grid."""
        plan = self._plan
        torch.set_num_threads(cpu_count())
        say = Console(file=screen, highlight=False, quiet=plan.silent)
        for name in plan.data:
            unread = [kept for _, kept in self._trained(name) if not kept.tested]
            if not unread:
                continue
            say.print(f"reading the {name} test set for {len(unread)} trainings", style="dim")
            test = TestSet(
                name,
                data_dir=plan.data_dir,
                mini=plan.mini,
                ledger=plan.home / LEDGER,
                device=plan.resources.device,
            )
            for kept in unread:
                self._go_on()
                if not kept.tested:  # two points may share a training
                    test.read(kept, purpose=f"{plan.experiment} {plan.id}")

    def _measured_file(self, cell: Cell) -> Path:
        plan = self._plan
        grid = "quick" if plan.quick else "full"
        file = f"sweep-{plan.name}-{grid}-{plan.sweep.measure_version}.json"
        return self._shelf.folder / cell.id / file

    def _measure(self, screen: IO[str]) -> dict[str, dict[str, Any]]:
        """What the sweep's own measure finds of every training: cell -> values."""
        plan = self._plan
        if plan.sweep.measure is None:
            return {}
        say = Console(file=screen, highlight=False, quiet=plan.silent)
        found: dict[str, dict[str, Any]] = {}
        for name, data in plan.data.items():
            trained = {kept.cell.id: kept for _, kept in self._trained(name)}
            files = {cell: self._measured_file(kept.cell) for cell, kept in trained.items()}
            left = [cell for cell, file in files.items() if not file.exists()]
            measure_all(
                plan.name,
                [(trained[cell], files[cell]) for cell in left],
                quick=plan.quick,
                data=data,
                resources=plan.resources,
                stopping=self._stop.event.is_set,
                done=functools.partial(_say_measured, say, len(left)),
            )
            self._go_on()
            found |= {cell: json.loads(file.read_text()) for cell, file in files.items()}
        return found

    def _outcome(self, measured: Mapping[str, dict[str, Any]]) -> Outcome:
        plan = self._plan
        rows = []
        for point in plan.points:
            found = [self._shelf.find(cell) for cell in plan.cells(point)]
            kept = [one for one in found if one is not None]
            if not kept:
                continue
            every = [
                {**cell_metrics(one), **_metrics(measured.get(one.cell.id, {}))} for one in kept
            ]
            told = [measured[one.cell.id] for one in kept if one.cell.id in measured]
            rows.append(
                Row(
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
                    measured=told,
                )
            )
        return Outcome(
            name=plan.name,
            rows=tuple(rows),
            quick=plan.quick,
            mini=plan.mini,
            train_size={name: len(data.train) for name, data in plan.data.items()},
            epochs=dict(plan.epochs),
            failures={
                f"{cell.pipeline} {dict(cell.params)} seed {cell.seed}": why
                for cell, why in self._failures.items()
            },
        )


def _say_measured(say: Console, total: int, number: int) -> None:
    say.print(f"measured {number}/{total}", style="dim")


def _metrics(measured: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among what was measured."""
    return {name: value for name, value in measured.items() if isinstance(value, float)}


def _write_json(path: Path, outcomes: list[Outcome]) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps({o.name: o.to_json() for o in outcomes}, indent=1) + "\n")
    partial.replace(path)

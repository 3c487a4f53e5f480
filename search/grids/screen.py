"""The screen of a sweep: its announcement, a table, the answer."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from search.cells.cell import Cell
from search.cells.statistics import Estimate
from search.cli import progress
from search.cli.output import say
from search.errors import without_secrets
from search.grids.plan import SweepPlan
from search.grids.results import GridResult


def announce(console: Console, plan: SweepPlan, missing: Mapping[str, Sequence[Cell]]) -> None:
    """Announce the trainings to come."""
    console.print(f"{plan.experiment}: {plan.sweep.question}", style="bold", soft_wrap=True)
    for name, data in plan.data.items():
        where = "stand-in data, not a result" if plan.mini else str(data.folder)
        console.print(f"{len(data.train):,} {name} training images ({where})", markup=False)
    cells = {cell.id for name in plan.data for cell in plan.cells_of(name)}
    left = sum(map(len, missing.values()))
    there = f", {len(cells) - left} of them trained before" if left < len(cells) else ""
    work = f"{len(plan.points)} points x {len(plan.seeds)} seeds = {len(cells)} trainings{there}"
    say(console, f"{work}; {plan.resources.describe()}")


def show_forecast(console: Console, seconds: float) -> None:
    """How long it will take."""
    console.print(f"forecast: about {progress.in_words(seconds)}", markup=False)


def show(console: Console, plan: SweepPlan, outcome: GridResult, answer: Sequence[str]) -> None:
    """A table for each metric, and the answer."""
    stand_in = " (stand-in data, not a result)" if plan.mini else ""
    for metric in plan.sweep.metrics:
        rows = {
            line: {row.x: row.estimate(metric) for row in rows}
            for line, rows in outcome.lines.items()
        }
        if not any(any(values.values()) for values in rows.values()):
            continue
        console.print()
        title = f"{metric} by {plan.sweep.x}{stand_in}: mean and half of the 95 % interval"
        say(console, title, "bold")
        places = sorted({x for values in rows.values() for x in values})
        cells = {
            line: {x: _cell(metric, values.get(x)) for x in places} for line, values in rows.items()
        }
        widest = max(len(text) for row in cells.values() for text in row.values())
        columns = max(1, (console.width - max(map(len, cells)) - 1) // (widest + 1))
        for start in range(0, len(places), columns):
            part = places[start : start + columns]
            table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
            table.add_column("", no_wrap=True)
            for x in part:
                table.add_column(f"{x:g}", justify="right", no_wrap=True)
            for line, row in cells.items():
                if any(rows[line].get(x) for x in part):
                    table.add_row(line, *(row[x] for x in part))
            console.print(table)
    for what, why in outcome.failures.items():
        say(console, f"not trained: {what}: {why}", "red")
    console.print()
    for sentence in answer:
        say(console, textwrap.fill(sentence, console.width))


def _cell(metric: str, estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    share = metric.endswith("accuracy")
    return estimate.text(1, factor=100) if share else estimate.text(4)


def conclude(console: Console, plan: SweepPlan) -> None:
    """Where everything is."""
    store = shlex.quote(without_secrets(plan.tracking_uri))
    say(console, f"\ncompare: mlflow ui --backend-store-uri {store}")
    say(console, "the figure: python analysis/report.py")

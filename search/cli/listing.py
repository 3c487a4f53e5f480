"""`--list`: the pipelines with their spaces and defaults. `--check`: what one has to keep."""

from __future__ import annotations

from rich.table import Table

from search.cli import output
from search.errors import FAILED
from search.spaces import space
from search.spaces.pipeline import Params, load_pipeline, pipeline_names


def show(only: str | None) -> int:
    """Print one pipeline or all; returns the exit status."""
    console = output.console()
    for name in [only] if only else pipeline_names():
        pipeline = load_pipeline(name)
        labels = "uses labels" if pipeline.uses_labels else "no labels"
        console.print(
            f"{name}: {pipeline.summary} ({labels}, {pipeline.epochs} epochs)", style="bold"
        )
        console.print(space_table(pipeline.space, pipeline.defaults, "default"))
        console.print()
    return 0


def show_check(name: str) -> int:
    """Print a line for each clause of the contract of pipelines; returns 1 if one is broken."""
    from search.spaces.contract import violations

    console = output.console()
    broken = 0
    for clause, problem in violations(load_pipeline(name)):
        broken += problem is not None
        mark = "broken" if problem else "kept  "
        text = f"{mark}  {clause}{': ' * bool(problem)}{problem or ''}"
        output.say(console, text, "red" if problem else "green")
    return FAILED if broken else 0


def space_table(searched: space.Space, values: Params, title: str) -> Table:
    """A row a parameter: its range, and its value in the column `title`."""
    table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim")
    for column in ("parameter", "searched", title):
        table.add_column(column)
    for name, distribution in searched.items():
        table.add_row(name, space.describe(distribution), str(values[name]))
    return table

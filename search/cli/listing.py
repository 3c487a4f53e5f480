"""`--list`: the pipelines with their spaces and defaults."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from search.spaces import space
from search.spaces.pipeline import load_pipeline, pipeline_names


def show(only: str | None) -> int:
    """Print one pipeline or all; returns the exit status."""
    console = Console(highlight=False)
    for name in [only] if only else pipeline_names():
        pipeline = load_pipeline(name)
        labels = "uses labels" if pipeline.uses_labels else "no labels"
        console.print(
            f"{name}: {pipeline.summary} ({labels}, {pipeline.epochs} epochs)", style="bold"
        )
        table = Table(box=None, padding=(0, 2, 0, 2), header_style="dim")
        for column in ("parameter", "searched", "default"):
            table.add_column(column)
        for parameter, distribution in pipeline.space.items():
            table.add_row(
                parameter, space.describe(distribution), f"{pipeline.defaults[parameter]}"
            )
        console.print(table)
        console.print()
    return 0

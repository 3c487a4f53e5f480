"""The section `sweeps`: each finished one, and how to make those that are missing."""

from __future__ import annotations

import importlib.util

from analysis.document import Block, Bullets, Cell, Figure, Heading, Paragraph, Section, Table
from analysis.records import Findings, SweepRecord
from analysis.sentences import counted
from analysis.sweeps.lines import label_of, lines_figure, metrics_of
from search.cells.statistics import Estimate
from trainers.data import DATASETS


def section(findings: Findings) -> Section:
    """Every sweep: question, figure, answer, numbers."""
    blocks: list[Block] = [
        Paragraph(
            "The champions above share one latent size and one budget. A sweep trains a fixed grid "
            "instead, every point with several seeds, and asks one question of it. Nothing was "
            "chosen on test images: they were read once, when a grid was finished. What can be "
            "expected is derived in `docs/theory.md`."
        )
    ]
    for record in findings.sweeps:
        blocks += _sweep(record, findings)
    if findings.unswept:
        call, option = "python search/sweep.py --sweep", " --data mini" * findings.mini
        commands = ", ".join(f"`{call} {name}{option}`" for name in findings.unswept)
        blocks.append(Paragraph(f"Not run yet: {commands}."))
    return Section(id="sweeps", title="Sweeps", blocks=tuple(blocks))


def _sweep(record: SweepRecord, findings: Findings) -> list[Block]:
    outcome = record.outcome
    blocks: list[Block] = [
        Heading(record.sweep.title),
        Paragraph(f"{record.sweep.question} {budget_of(record)}"),
        Bullets(tuple(record.sweep.answer(outcome))),
    ]
    metrics = metrics_of(record)
    if metrics:
        blocks.append(
            Figure(
                name=f"sweep_{record.name}",
                title=record.sweep.title,
                caption=_seeds(record),
                draw=lambda: lines_figure(record),
            )
        )
    name = f"analysis.sweeps.{record.name}"
    if importlib.util.find_spec(name):
        blocks += importlib.import_module(name).blocks(record, findings)
    if metrics:
        blocks.append(_table(record, metrics))
    if outcome.failures:
        failures = "; ".join(f"{what}: {why}" for what, why in outcome.failures.items())
        blocks.append(Paragraph(f"Could not be trained: {failures}."))
    return blocks


def _seeds(record: SweepRecord) -> str:
    seeds = record.outcome.seeds
    if seeds == 1:
        return "One training a point, so no intervals."
    return (
        f"Points are means over {seeds} seeds, bars their 95 % intervals (Student's t), cut where "
        "they are much longer than the means are apart."
    )


def budget_of(record: SweepRecord) -> str:
    """Say what the sweep trained, in one or two sentences."""
    outcome, titles = record.outcome, {name: spec.title for name, spec in DATASETS.items()}
    sizes = ", ".join(f"{n:,} {titles[name]} images" for name, n in outcome.train_size.items())
    least, most = min(outcome.epochs.values()), max(outcome.epochs.values())
    epochs = f"{least} to " * (least < most) + counted(most, "epoch")
    return (
        f"The {'reduced ' * outcome.quick}grid of run `{record.run_id[:8]}`: {len(outcome.rows)} "
        f"points, trained on {sizes} for {epochs}."
    )


def _table(record: SweepRecord, metrics: list[str]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for line, points in record.outcome.lines.items():
        for row in points:
            values = [_cell(name, row.estimate(name)) for name in metrics]
            rows.append((line, f"{row.x:.10g}", len(row.seeds), *values))
    titles = [label_of(name).replace("\n", " ") for name in metrics]
    return Table(
        name=f"sweep_{record.name}",
        title=f"{record.sweep.title}: the numbers",
        caption="Mean over seeds and half of the 95 % interval; accuracies in %.",
        columns=("line", record.sweep.x, "seeds", *titles),
        rows=tuple(rows),
    )


def _cell(metric: str, value: Estimate | None) -> Cell:
    if value is None:
        return None
    share = metric.endswith("accuracy") or metric.startswith("few_labels/")
    return value.text(1, factor=100) if share else value.text(4)

"""The mistakes of the classifiers: confusion matrices, accuracy by class, the surest mistakes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Figure, Heading, Paragraph, Section, Table
from analysis.image_grid import figure_of
from analysis.mistakes.confusion import Confusion, Surest, compute_confusion, compute_surest
from analysis.mistakes.figures import SUREST, compose_surest, draw_accuracies, draw_confusion
from analysis.mistakes.words import describe, introduce, together
from analysis.records import SIX, Findings, PipelineRecord
from trainers.data import DATASETS


def section(findings: Findings) -> Section:
    """The part of the report."""
    blocks: list[Block] = [Paragraph(introduce()), *absent(findings, SIX)]
    for dataset, spec in DATASETS.items():
        records = findings.of(dataset=dataset)
        if not records:
            continue
        confusions = [compute_confusion(record) for record in records]
        surest = [compute_surest(record) for record in records]
        blocks.append(Heading(spec.title))
        for record, confusion, sure in zip(records, confusions, surest, strict=True):
            blocks.append(_confusion_figure(record, confusion))
            blocks.append(Paragraph(describe(record, confusion, sure)))
        blocks.append(_table(dataset, records, confusions))
        blocks += _surest_figure(dataset, records, surest)
        if shared := together(records, surest):
            blocks.append(Paragraph(shared))
    return Section(id="mistakes", title="Errors", blocks=tuple(blocks))


def _over_seeds(confusion: Confusion) -> str:
    return "one seed" if confusion.seeds == 1 else f"mean over {confusion.seeds} seeds"


def _confusion_figure(record: PipelineRecord, confusion: Confusion) -> Figure:
    def draw() -> Canvas:
        figure, [left, right] = style.axes(1, 2, width=9.0, height=4.9)
        if grid := left.get_gridspec():
            grid.set_width_ratios((2.1, 1))
        draw_confusion(left, confusion)
        draw_accuracies(right, confusion)
        title = f"{title_of(record)}: {record.split} images, {_over_seeds(confusion)}"
        figure.suptitle(title, fontsize=11, fontweight="bold")
        return figure

    interval = (
        "the bar is the 95 % interval of the mean over seeds (Student's t, cut at 0 and 1)"
        if confusion.seeds > 1
        else "no interval from one seed"
    )
    return Figure(
        name=f"confusion_{record.name}",
        title=f"{title_of(record)}: what is taken for what",
        caption=f"Left: images by true class (row) and predicted class (column), "
        f"{_over_seeds(confusion)} ({source_of(record)}); shades by share of the row, on a "
        "root scale so that rare confusions can be seen; empty cells are zero. Right: accuracy "
        f"of each class, {interval}.",
        draw=draw,
        alt=f"Confusion matrix of {len(confusion.classes)} classes and accuracy by class.",
    )


def _surest_figure(
    dataset: str, records: Sequence[PipelineRecord], surest: Sequence[Surest]
) -> list[Figure]:
    mosaic = compose_surest(records, surest)
    if mosaic is None:
        return []

    def draw() -> Canvas:
        return figure_of(
            mosaic,
            title=f"{DATASETS[dataset].title}: the most confident mistakes",
            x_label="image, the surest at the left; above it its class, what was said, probability",
        )

    sources = "; ".join(f"{r.method}: {source_of(r)}" for r in records)
    return [
        Figure(
            name=f"surest_mistakes_{dataset}",
            title=f"{DATASETS[dataset].title}: the most confident mistakes",
            caption=f"For each pipeline the {SUREST} wrongly classified images to which the "
            "classifier gives the highest probability: true class, what it said, and the "
            "probability after softmax of the logits as they are. The temperature that supervised "
            "training divides logits by is ignored: it changes how sure, not what is said. "
            f"{sources}.",
            draw=draw,
            alt="Rows of wrongly classified images with true class, predicted class, probability.",
        )
    ]


def _table(
    dataset: str, records: Sequence[PipelineRecord], confusions: Sequence[Confusion]
) -> Table:
    columns = (
        [None if accuracy is None else accuracy.text(4) for accuracy in confusion.accuracies]
        for confusion in confusions
    )
    return Table(
        name=f"class_accuracy_{dataset}",
        title=f"{DATASETS[dataset].title}: accuracy by class",
        caption="Share of a class's images that are classified rightly, mean over seeds with its "
        "95 % interval where there are several. "
        + "; ".join(
            f"{r.name}: {_over_seeds(c)}, {source_of(r)}"
            for r, c in zip(records, confusions, strict=True)
        )
        + ".",
        columns=("class", *(record.name for record in records)),
        rows=tuple(zip(records[0].classes, *columns, strict=True)),
    )

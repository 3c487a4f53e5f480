"""The mistakes of the classifiers: confusion matrices, accuracy by class, the surest mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Figure, Heading, Paragraph, Section, Table
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.mistakes.confusion import Confusion, Surest, compute_confusion, compute_surest
from analysis.mistakes.words import INTRODUCTION, describe, together
from analysis.records import SIX, Findings, PipelineRecord
from analysis.sentences import count_as_text
from trainers.data import DATASETS

WIDTH = 9.0  # inches
SUREST = 8  # pictures a pipeline
DARK = 0.6  # of the shade's range: white figures on it


def section(findings: Findings) -> Section:
    """The part of the report."""
    blocks: list[Block] = [Paragraph(INTRODUCTION), *absent(findings, SIX)]
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
    title = f"{title_of(record)}: {record.split} images, {_over_seeds(confusion)}"
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
        draw=lambda: confusion_figure(confusion, title),
        alt=f"Confusion matrix of {len(confusion.classes)} classes and accuracy by class.",
    )


def _surest_figure(
    dataset: str, records: Sequence[PipelineRecord], surest: Sequence[Surest]
) -> list[Figure]:
    mosaic = compose_surest(records, surest)
    if mosaic is None:
        return []
    title = f"{DATASETS[dataset].title}: the most confident mistakes"
    below = "image, the surest at the left; above it its class, what was said, probability"
    sources = "; ".join(f"{r.method}: {source_of(r)}" for r in records)
    return [
        Figure(
            name=f"surest_mistakes_{dataset}",
            title=title,
            caption=f"For each pipeline the {SUREST} wrongly classified images to which the "
            "classifier gives the highest probability: true class, what it said, and the "
            "probability after softmax of the logits as they are. The temperature that supervised "
            "training divides logits by is ignored: it changes how sure, not what is said. "
            f"{sources}.",
            draw=lambda: figure_of(mosaic, title=title, x_label=below),
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


# Drawing ----------------------------------------------------------------------------------------


def confusion_figure(confusion: Confusion, title: str) -> Canvas:
    """The matrix beside the accuracies."""
    figure, [left, right] = style.axes(1, 2, width=9.0, height=4.9)
    if grid := left.get_gridspec():
        grid.set_width_ratios((2.1, 1))
    draw_confusion(left, confusion)
    draw_accuracies(right, confusion)
    figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def draw_confusion(axis: Axes, confusion: Confusion) -> None:
    """Counts in cells shaded by share of the row."""
    size = len(confusion.classes)
    mean, shade = confusion.mean, np.sqrt(confusion.shares)
    axis.imshow(shade, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.argwhere(mean > 0):
        text = count_as_text(float(mean[row, column]))
        colour = "white" if shade[row, column] > DARK else "black"
        axis.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour)
    long = max(map(len, confusion.classes)) > 2
    turned: Any = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if long else {}
    axis.set_xticks(range(size), confusion.classes, **turned)
    axis.set_yticks(range(size), confusion.classes)
    axis.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axis.grid(False)
    axis.grid(which="minor", color="white", lw=1)
    axis.tick_params(which="both", length=0)
    axis.set_title("Images by true and predicted class")
    axis.set(xlabel="predicted class", ylabel="true class")


def draw_accuracies(axis: Axes, confusion: Confusion) -> None:
    """Accuracy of each class with its interval, in the matrix's order."""
    for place, accuracy in enumerate(confusion.accuracies):
        if accuracy is None:
            continue
        axis.plot(accuracy.mean, place, "o", color=style.COLOURS[0])
        if accuracy.low is not None and accuracy.high is not None:
            ends = np.clip([accuracy.low, accuracy.high], 0, 1)
            axis.plot(ends, [place, place], "-|", color=style.COLOURS[0])
    overall = float(np.trace(confusion.mean) / confusion.mean.sum())
    axis.axvline(overall, color="black", ls="--", lw=1.1, label=f"all classes {overall:.4f}")
    axis.set_yticks(range(len(confusion.classes)), confusion.classes)
    axis.set_ylim(len(confusion.classes) - 0.5, -0.5)
    axis.margins(x=0.08)
    axis.locator_params(axis="x", nbins=5)
    axis.set(title="Accuracy by class", xlabel="accuracy, share of the class", ylabel="true class")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), fontsize=8)


def compose_surest(records: Sequence[PipelineRecord], surest: Sequence[Surest]) -> Mosaic | None:
    """For each pipeline the mistakes with the highest probability; None if nobody made any."""
    rows = []
    for record, sure in zip(records, surest, strict=True):
        if not len(sure.rows):
            continue
        shown = sure.rows[:SUREST]
        words = [
            f"{record.classes[sure.labels[row]]},\nsaid {record.classes[sure.predicted[row]]}\n"
            f"{sure.probability[row]:.3f}"
            for row in shown
        ]
        images = record.images.images[shown]
        rows.append(ImageRow(images=images, label=record.called, words=words))
    return Mosaic(rows=rows, width=WIDTH, columns=SUREST) if rows else None

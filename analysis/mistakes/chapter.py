"""The mistakes of the classifiers: confusion matrices, accuracy by class, the surest mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from scipy import stats

from analysis import style
from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Figure, Heading, Paragraph, Section, Table
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.mistakes.confusion import Confusion, Surest, compute_confusion, compute_surest
from analysis.records import Findings, PipelineRecord
from analysis.sentences import count_as_text, p_value

WIDTH = 9.0  # inches
SUREST = 8  # pictures a pipeline
DARK = 0.6  # of the shade's range: white figures on it
NAMED = 3  # confusions a pipeline
INTRODUCTION = (
    "Which classes the classifiers take for which. Matrices and accuracies by class are those "
    "that the final runs recorded, a mean over their seeds; where a pipeline has no final run "
    "they come from the best trial's predictions on validation images, and say so. Pictures "
    "and probabilities are of one set of weights: the registered champion's, or the best trial's."
)


def section(findings: Findings) -> Section:
    """The part of the report."""
    blocks: list[Block] = [Paragraph(INTRODUCTION), *absent(findings)]
    for dataset, spec in findings.specs.items():
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
        figure, [axis] = style.axes(width=6.4, height=4.9)
        draw_confusion(axis, confusion)
        axis.set_title(f"{title_of(record)}: {record.split} images, {_over_seeds(confusion)}")
        return figure

    return Figure(
        name=f"confusion_{record.name}",
        title=f"{title_of(record)}: what is taken for what",
        caption="Images by true class (row) and predicted class (column), "
        f"{_over_seeds(confusion)} ({source_of(record)}); shades by share of the row, on a "
        "root scale so that rare confusions can be seen; empty cells are zero.",
        draw=draw,
    )


def _surest_figure(
    dataset: str, records: Sequence[PipelineRecord], surest: Sequence[Surest]
) -> list[Figure]:
    mosaic = compose_surest(records, surest)
    if mosaic is None:
        return []
    title = f"{records[0].data.spec.title}: the most confident mistakes"
    below = "image, the surest at the left; above it its class, what was said, probability"
    sources = "; ".join(f"{r.method}: {source_of(r)}" for r in records)
    return [
        Figure(
            name=f"surest_mistakes_{dataset}",
            title=title,
            caption=f"For each pipeline the {SUREST} wrongly classified images to which the "
            "classifier gives the highest probability. The temperature that supervised training "
            f"divides logits by is ignored: it changes how sure, not what is said. {sources}.",
            draw=lambda: figure_of(mosaic, title=title, x_label=below),
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
        title=f"{records[0].data.spec.title}: accuracy by class",
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


# What is said ------------------------------------------------------------------------------------


def describe(record: PipelineRecord, confusion: Confusion, surest: Surest) -> str:
    """The paragraph of one pipeline: commonest confusions, and whether it is as sure as right."""
    wrong = confusion.mean.sum() - np.trace(confusion.mean)
    pairs = confusion.pairs[:NAMED]
    named = "; ".join(
        f"{confusion.classes[true]} taken for {confusion.classes[predicted]}, "
        f"{100 * confusion.shares[true, predicted]:.1f} % of its class"
        for true, predicted in pairs
    )
    share = sum(confusion.mean[pair] for pair in pairs) / wrong if pairs else 0.0
    most = f"most frequent are {named}, together {100 * share:.0f} % of all {wrong:,.0f} mistakes"
    return (
        f"**{title_of(record)}.** Of the confusions the {most if pairs else 'matrix shows none'}. "
        f"Over all images the classifier's mean probability of the class that it names is "
        f"{surest.probability.mean():.3f}, and it is right on {(~surest.wrong).mean():.3f} of them."
    )


def together(records: Sequence[PipelineRecord], surest: Sequence[Surest]) -> str:
    """Whether the pipelines of a data set fail on the same images; empty if they saw others."""
    same = all(np.array_equal(sure.labels, surest[0].labels) for sure in surest)
    if len(records) < 2 or not same or len({record.split for record in records}) > 1:
        return ""
    wrong = np.stack([sure.wrong for sure in surest])
    count = wrong.shape[1]
    shared, alone = int(wrong.all(axis=0).sum()), float(wrong.mean(axis=1).prod())
    p = stats.binomtest(shared, count, alone).pvalue
    names = ", ".join(record.called for record in records)
    return (
        f"All of {names} are wrong on {shared} of the {count:,} images; were their mistakes "
        f"independent, {count_as_text(alone * count)} would be expected (binomial test, "
        f"{p_value(p)})."
    )


# Drawing ----------------------------------------------------------------------------------------


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
    axis.set(xlabel="predicted class", ylabel="true class")


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

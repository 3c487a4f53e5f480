"""What the classifiers get wrong: confusion matrices, accuracy by class, the surest mistakes.

from analysis import mistakes
mistakes.confusion_matrix(labels, predicted, 10)  # (10, 10)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.document import Block, Cell, Figure, Heading, Paragraph, Section, Table
from analysis.mistakes.figures import (
    SUREST,
    compose_surest,
    draw_accuracies,
    draw_confusion,
)
from analysis.mistakes.words import describe, introduce, together
from analysis.mosaics import figure_of
from analysis.provenance import absent, source_of, title_of
from analysis.records import SIX, Findings, PipelineRecord
from search.finals.comparisons import Estimate, estimate
from trainers.data import DATASETS


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """What a classifier takes each class for.

    Attributes:
        counts: (S, K, K) images by seed; row: true class, column: predicted.
        classes: names by label.
    """

    counts: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        size = len(self.classes)
        if self.counts.ndim != 3 or self.counts.shape[1:] != (size, size):
            raise ValueError(f"counts must be (S, {size}, {size}), not {self.counts.shape}")
        if len(self.counts) < 1 or (self.counts < 0).any():
            raise ValueError("counts must be of one seed at least, and not negative")
        if not (self.counts.sum(axis=2) == self.counts[0].sum(axis=1)).all():
            raise ValueError("the seeds saw different images")

    @property
    def seeds(self) -> int:
        """S."""
        return len(self.counts)

    @property
    def mean(self) -> np.ndarray:
        """(K, K) images, mean over seeds."""
        averaged: np.ndarray = self.counts.mean(axis=0)
        return averaged

    @property
    def shares(self) -> np.ndarray:
        """(K, K) of `mean`, rows summing to 1 (to 0 for a class without images)."""
        totals = self.mean.sum(axis=1, keepdims=True)
        shares: np.ndarray = self.mean / np.where(totals > 0, totals, 1)
        return shares

    @property
    def accuracies(self) -> list[Estimate | None]:
        """Of each class, with an interval where there are several seeds; None without images."""
        found: list[Estimate | None] = []
        for label in range(len(self.classes)):
            total = self.counts[0, label].sum()
            hits = self.counts[:, label, label]
            found.append(estimate([float(hit / total) for hit in hits]) if total else None)
        return found

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """(true, predicted) of different classes that were confused, the most images first."""
        off = self.mean * (1 - np.eye(len(self.classes)))
        order = np.argsort(-off, axis=None, kind="stable")
        every = [divmod(int(place), len(self.classes)) for place in order]
        return [(true, said) for true, said in every if off[true, said] > 0]


@dataclass(frozen=True, kw_only=True)
class Surest:
    """How sure the drawn weights are, right or wrong.

    Attributes:
        labels, predicted: (N,).
        probability: (N,) of the predicted class.
        rows: (n,) of the mistakes, the most probable first.
        true_probability: (N,) of the right class.
    """

    labels: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray
    true_probability: np.ndarray
    rows: np.ndarray

    def __post_init__(self) -> None:
        for name in ("predicted", "probability", "true_probability"):
            if getattr(self, name).shape != self.labels.shape:
                raise ValueError(f"{name} must be {self.labels.shape}")
        if not ((self.probability >= 0) & (self.probability <= 1 + 1e-6)).all():
            raise ValueError("probabilities must lie in [0, 1]")
        if (self.labels[self.rows] == self.predicted[self.rows]).any():
            raise ValueError("rows must be mistakes")
        if (np.diff(self.probability[self.rows]) > 0).any():
            raise ValueError("rows must come by falling probability")

    @property
    def wrong(self) -> np.ndarray:
        """(N,) bool."""
        missed: np.ndarray = self.labels != self.predicted
        return missed


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(N,) and (N,) labels -> (K, K) counts; row: true class, column: predicted."""
    if labels.shape != predicted.shape:
        raise ValueError(f"labels are {labels.shape}, predictions {predicted.shape}")
    flat = labels.astype(np.int64) * classes + predicted.astype(np.int64)
    counts: np.ndarray = np.bincount(flat, minlength=classes**2).reshape(classes, classes)
    return counts


def softmax(logits: np.ndarray) -> np.ndarray:
    """(N, K) -> (N, K) float64 probabilities."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    chances: np.ndarray = shifted / shifted.sum(axis=1, keepdims=True)
    return chances


def compute_confusion(record: PipelineRecord) -> Confusion:
    """The champion's over its seeds as the rerun recorded them, else of the drawn weights."""
    counts = []
    if record.result is not None:
        tested = record.result["rows"][0]["test"]
        counts = [one["confusion"] for one in tested if "confusion" in one]
    if not counts:
        classes = len(record.classes)
        counts = [confusion_matrix(record.images.labels, record.predictions, classes)]
    return Confusion(counts=np.array(counts), classes=record.classes)


def compute_surest(record: PipelineRecord) -> Surest:
    """The drawn weights' mistakes by falling probability, temperature 1."""
    chances = softmax(record.logits)
    labels, predicted = record.images.labels, chances.argmax(axis=1)
    probability = chances.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    return Surest(
        labels=labels,
        predicted=predicted,
        probability=probability,
        true_probability=chances[np.arange(len(labels)), labels],
        rows=wrong[np.argsort(-probability[wrong], kind="stable")],
    )


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
        figure.suptitle(
            f"{title_of(record)}: {record.split} images, {_over_seeds(confusion)}",
            fontsize=11,
            fontweight="bold",
        )
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
            y_label="pipeline",
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
    accuracies = [confusion.accuracies for confusion in confusions]
    rows: list[tuple[Cell, ...]] = []
    for label, name in enumerate(records[0].classes):
        cells: list[Cell] = [name]
        for of_record in accuracies:
            found = of_record[label]
            cells.append(None if found is None else _interval(found))
        rows.append(tuple(cells))
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
        rows=tuple(rows),
    )


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"{found.mean:.4f}"
    return f"{found.mean:.4f} ± {(found.high - found.low) / 2:.4f}"

"""Draws confusion matrices, accuracy by class, and mistakes as pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from analysis import style
from analysis.image_grid import ImageRow, Mosaic
from analysis.mistakes.confusion import Confusion, Surest
from analysis.records import PipelineRecord

WIDTH = 9.0  # inches
SUREST = 8  # pictures a pipeline
DARK = 0.6  # of the shade's range: white figures on it


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
    axis.set_xticks(range(size), confusion.classes)
    if long:
        plt.setp(axis.get_xticklabels(), rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(size), confusion.classes)
    axis.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axis.grid(False)
    axis.grid(which="minor", color="white", lw=1)
    axis.tick_params(which="both", length=0)
    axis.set_title("Images by true and predicted class")
    axis.set_xlabel("predicted class")
    axis.set_ylabel("true class")


def count_as_text(count: float) -> str:
    """Images, a mean over seeds: one decimal where it is small and not whole, never 0 for some."""
    if count < 0.05:
        return "<0.1"
    return f"{count:.0f}" if count >= 9.95 or abs(count - round(count)) < 0.05 else f"{count:.1f}"


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
    axis.set_title("Accuracy by class")
    axis.set_xlabel("accuracy, share of the class")
    axis.set_ylabel("true class")
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
        label = record.method.replace("_", " ")
        rows.append(ImageRow(images=record.images.images[shown], label=label, words=words))
    return Mosaic(rows=rows, width=WIDTH, columns=SUREST) if rows else None

"""Walks between two latents: what the decoder makes of them, beside a walk between pixels."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Cell, Figure, Heading, Paragraph, Section, Table, heads
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.interpolation.measures import (
    PAIRS,
    STEPS,
    Interpolation,
    compute_interpolation,
    middle_is_usual,
)
from analysis.interpolation.words import answer, explain, introduce
from analysis.records import Findings, PipelineRecord
from analysis.sentences import percent

WIDTH = 9.0  # inches
BETWEEN, WITHIN, MIXED = style.COLOURS[0], style.COLOURS[5], "0.35"

MIDDLES = "nearest", "mixed_nearest", "entropy", "sparsity", "ghosting"
X_LABEL = "step; above it alpha (top row), the class that the classifier names, its probability"


def section(findings: Findings) -> Section:
    """The part of the report."""
    records = findings.of(method="autoencoder")
    blocks: list[Block] = [Paragraph(introduce(PAIRS))] if records else []
    blocks += absent(findings, "_autoencoder")
    for record in records:
        interpolation = compute_interpolation(record, findings.seed)
        blocks += [
            Heading(title_of(record)),
            _walks_figure(record, interpolation),
            _table(record, interpolation),
            _measures_figure(record, interpolation),
            Paragraph(answer(record, interpolation)),
            Paragraph(explain(interpolation)),
        ]
    return Section(id="interpolation", title="Interpolation", blocks=tuple(blocks))


def _walks_figure(record: PipelineRecord, interpolation: Interpolation) -> Figure:
    first, *others = map(interpolation.named, range(len(interpolation.labels)))
    title = f"{title_of(record)}: walks in {STEPS} steps"
    more = f"; then {', '.join(others)}, random images of these classes" if others else ""
    return Figure(
        name=f"interpolation_{record.name}",
        title=title,
        caption=f"{first}, two of the five{more} ({source_of(record)}). Of each pair above the "
        "latents between, decoded, with the class that the classifier names and its probability; "
        "below the images themselves, mixed pixel by pixel.",
        draw=lambda: figure_of(compose_walks(interpolation), title=title, x_label=X_LABEL),
    )


def _measures_figure(record: PipelineRecord, interpolation: Interpolation) -> Figure:
    return Figure(
        name=f"interpolation_measures_{record.name}",
        title=f"{title_of(record)}: what the walks pass through",
        caption=f"Medians over {PAIRS} random pairs of different classes (the band: from 10 to "
        f"90 % of them) and over {PAIRS} pairs of one class, against "
        f"{len(interpolation.real.nearest):,} images as they are ({source_of(record)}).",
        draw=lambda: measures_figure(interpolation),
    )


def _table(record: PipelineRecord, interpolation: Interpolation) -> Table:
    shown, real = interpolation.shown, interpolation.real
    usual = middle_is_usual(shown, real)
    rows: list[tuple[Cell, ...]] = []
    for pair in range(len(interpolation.labels)):
        values = (float(shown.middle(measure)[pair]) for measure in MIDDLES)
        rows.append((interpolation.named(pair), *values, "yes" if usual[pair] else "no"))
    every = {"different classes": interpolation.between, "one class": interpolation.within}
    for name, paths in every.items():
        share = percent(middle_is_usual(paths, real).mean())
        medians = map(paths.median_middle, MIDDLES)
        rows.append((f"median of {len(paths.rows)}, {name}", *medians, share))
    nearest, entropy, sparsity = (
        float(np.median(values)) for values in (real.nearest, real.entropy, real.sparsity)
    )
    rows.append(("median of real images", nearest, None, entropy, sparsity, None, ""))
    return Table(
        name=f"interpolation_{record.name}",
        title=f"{title_of(record)}: the middles of the walks",
        caption="Means over the two middle steps. Distance: L2 on pixels in [0, 1] to the nearest "
        f"of {interpolation.training:,} training images, of the decoded step and of the pixels' "
        "mix. Entropy: the classifier's, in nats. Latents: distance to the 10th nearest training "
        "latent. Ghosting: 1 for the cross-fade of the two decoded ends, 0 for a picture that "
        "decides each pixel for one of them. Usual: passes the three tests below "
        f"({source_of(record)}).",
        columns=heads("walk | distance | of the mix | entropy | latents | ghosting | usual"),
        rows=tuple(rows),
    )


# Drawing ----------------------------------------------------------------------------------------


# Attribute of `Paths`, and of `Real` where real images have it -> title, unit.
LINES = {
    "nearest": ("Is it near to real images?", "L2 to the nearest image,\npixels in [0, 1]"),
    "entropy": ("Is the classifier sure?", "entropy, nats"),
    "sparsity": ("Is the latent space filled?", "distance to the 10th\ntraining latent"),
    "ghosting": ("Is it a cross-fade?", "ghosting: 1 cross-fade, 0 decided"),
}


def compose_walks(interpolation: Interpolation) -> Mosaic:
    """Each shown pair in two rows: the latents decoded, and the pixels mixed."""
    steps = interpolation.decoded.shape[1]
    rows = []
    for pair in range(len(interpolation.labels)):
        chances = interpolation.shown.confidence[pair]
        predicted = [interpolation.classes[label] for label in interpolation.shown.predicted[pair]]
        words = [f"{name}\n{chance:.2f}" for name, chance in zip(predicted, chances, strict=True)]
        if pair == 0:
            words = [f"{step / (steps - 1):.2f}\n{word}" for step, word in enumerate(words)]
        name = interpolation.named(pair)
        decoded, mixed = interpolation.decoded[pair], interpolation.mixed[pair]
        rows.append(ImageRow(images=decoded, label=f"{name}:\nlatents", words=words))
        rows.append(ImageRow(images=mixed, label=f"{name}:\npixels"))
    return Mosaic(rows=rows, width=WIDTH)


def measures_figure(interpolation: Interpolation) -> Canvas:
    """A panel a measure."""
    figure, axes = style.axes(2, 2, width=8.4, height=6.2)
    for axis, measure in zip(axes, LINES, strict=True):
        draw_measure(axis, interpolation, measure)
    style.legend_below(figure, axes[0], columns=3)
    return figure


def draw_measure(axis: Axes, interpolation: Interpolation, measure: str) -> None:
    """One measure along the walks of many pairs, with that of real images."""
    between = getattr(interpolation.between, measure)
    alpha = np.linspace(0, 1, between.shape[1])
    inner = np.isfinite(between).all(axis=0)  # ghosting has no value at the ends
    low, median, high = np.quantile(between[:, inner], (0.1, 0.5, 0.9), axis=0)
    axis.fill_between(alpha[inner], low, high, color=BETWEEN, alpha=0.18, lw=0)
    axis.plot(alpha[inner], median, "o-", color=BETWEEN, label="between different classes")
    within = np.median(getattr(interpolation.within, measure)[:, inner], axis=0)
    axis.plot(alpha[inner], within, "s--", color=WITHIN, label="within one class")
    mixed = getattr(interpolation.between, f"mixed_{measure}", None)
    if mixed is not None:
        label = "pixels mixed, different classes"
        axis.plot(alpha, np.median(mixed, axis=0), "^:", color=MIXED, label=label)
    real = getattr(interpolation.real, measure, None)
    if real is not None:
        axis.axhline(np.median(real), color="black", lw=1.1, label="real images: median")
        most = np.quantile(real, 0.9)
        axis.axhline(most, color="black", lw=1.1, ls="-.", label="real images: 90 %")
    axis.set_ylim(*((-0.03, 1.03) if measure == "ghosting" else (0, None)))
    axis.set_xlim(-0.03, 1.03)
    title, unit = LINES[measure]
    axis.set(xlabel="alpha, share of the second image", ylabel=unit)
    axis.set_title(title)

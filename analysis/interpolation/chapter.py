"""Walks between two latents: what the decoder makes of them, beside a walk between pixels."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Bullets, Figure, Heading, Paragraph, Section, Table, heads
from analysis.image_grid import ImageRow, Mosaic, figure_of
from analysis.interpolation.measures import MIXES, STEPS, Interpolation, compute_interpolation
from analysis.interpolation.words import answer, explain, introduce, measurements, middle_is_usual
from analysis.records import Findings, PipelineRecord
from analysis.sentences import percent

WIDTH = 9.0  # inches
BETWEEN, WITHIN, MIXED = style.COLOURS[0], style.COLOURS[5], "0.35"

X_LABEL = "step; above it alpha (top row), the class that the classifier names, its probability"


def section(findings: Findings) -> Section:
    """The part of the report."""
    records = findings.of(method="autoencoder")
    blocks: list[Block] = [*absent(findings, ("mnist_autoencoder", "cifar_autoencoder"))]
    computed = {record.name: compute_interpolation(record, findings.seed) for record in records}
    if records:
        blocks.insert(0, Paragraph(introduce(records, computed)))
    for record in records:
        interpolation = computed[record.name]
        blocks.append(Heading(title_of(record)))
        blocks.append(_walk_figure(record, interpolation))
        if len(interpolation.labels) > 1:
            blocks.append(_others_figure(record, interpolation))
        blocks += [_table(record, interpolation), _measures_figure(record, interpolation)]
        blocks += [Paragraph(answer(record, interpolation)), Bullets(measurements(interpolation))]
        blocks.append(Paragraph(explain(interpolation)))
    return Section(id="interpolation", title="Interpolation", blocks=tuple(blocks))


def _walk_figure(record: PipelineRecord, interpolation: Interpolation) -> Figure:
    title = f"{title_of(record)}: from {interpolation.named(0)} in {STEPS} steps"
    return Figure(
        name=f"interpolation_{record.name}",
        title=f"{title_of(record)}: ten steps between two of the five images",
        caption=f"From {interpolation.named(0)} ({source_of(record)}). Above: the latents between, "
        "decoded; above each step the class that the classifier gives its latent, and its "
        "probability. Below: the images themselves mixed in the same shares, pixel by pixel. "
        "Alpha is the share of the right end; the outer columns are the ends, above "
        "reconstructed, below as they are.",
        draw=lambda: figure_of(compose_walks(interpolation, [0]), title=title, x_label=X_LABEL),
        alt=f"Ten pictures from {interpolation.named(0)}, and ten cross-fades below them.",
    )


def _others_figure(record: PipelineRecord, interpolation: Interpolation) -> Figure:
    pairs = range(1, len(interpolation.labels))
    names = ", ".join(interpolation.named(pair) for pair in pairs)
    title = f"{title_of(record)}: {names}"
    return Figure(
        name=f"interpolation_pairs_{record.name}",
        title=f"{title_of(record)}: other pairs",
        caption=f"As above for {names}: random images of these classes ({source_of(record)}). "
        "For each pair the decoded latents with the classifier's opinion, and below them the "
        "pixels mixed.",
        draw=lambda: figure_of(compose_walks(interpolation, pairs), title=title, x_label=X_LABEL),
        alt=f"Walks {names}, decoded, each with its cross-fade below.",
    )


def _measures_figure(record: PipelineRecord, interpolation: Interpolation) -> Figure:
    return Figure(
        name=f"interpolation_measures_{record.name}",
        title=f"{title_of(record)}: what the walks pass through",
        caption=f"Medians over {len(interpolation.between.rows)} random pairs of different classes "
        f"(the band: from 10 to 90 % of them) and over {len(interpolation.within.rows)} pairs of "
        f"one class, against {len(interpolation.real.nearest):,} images as they are "
        f"({source_of(record)}; distances to the first {interpolation.training:,} training "
        "images). Ghosting: 1 where a step is the cross-fade of the two decoded ends, 0 where it "
        "is as far from that as a picture that decides each pixel for one of the ends.",
        draw=lambda: measures_figure(interpolation),
        alt="Four curves along the walk: distance to training images, entropy, density, ghosting.",
    )


def _table(record: PipelineRecord, interpolation: Interpolation) -> Table:
    rows: list[tuple[Any, ...]] = []
    shown, real = interpolation.shown, interpolation.real
    middles = "nearest", "mixed_nearest", "sparsity", "ghosting"
    for pair in range(len(interpolation.labels)):
        near, mixed, sparse, ghost = (float(shown.middle(name)[pair]) for name in middles)
        most = int(shown.entropy[pair].argmax())
        entropy, where = float(shown.entropy[pair, most]), f"{most}/{STEPS - 1}"
        walk = interpolation.named(pair), _runs(shown.predicted[pair], interpolation.classes)
        usual = "yes" if middle_is_usual(shown, real)[pair] else "no"
        rows.append((*walk, near, mixed, entropy, where, sparse, ghost, usual))
    every = {"different classes": interpolation.between, "one class": interpolation.within}
    for name, paths in every.items():
        near, mixed, sparse, ghost = map(paths.median_middle, middles)
        entropy = float(np.median(paths.entropy.max(axis=1)))
        usual = percent(middle_is_usual(paths, real).mean())
        named = f"median of {len(paths.rows)}, {name}"
        rows.append((named, "", near, mixed, entropy, "", sparse, ghost, usual))
    near, entropy, sparse = (
        float(np.median(m)) for m in (real.nearest, real.entropy, real.sparsity)
    )
    rows.append(("median of real images", "", near, None, entropy, "", sparse, None, ""))
    return Table(
        name=f"interpolation_{record.name}",
        title=f"{title_of(record)}: the middles of the walks",
        caption="Means over the two middle steps. Distance: L2 on pixels in [0, 1] to the nearest "
        f"of {interpolation.training:,} training images, of the decoded step and of the pixels' "
        "mix. Entropy: the classifier's largest along the walk, in nats, and at which alpha. "
        "Latents: distance to the 10th nearest training latent. Usual: whether the middle is as "
        "near to training images and as surely classified as 90 % of real images, and less than "
        f"half a cross-fade ({source_of(record)}).",
        columns=heads(
            "walk | classes named (steps) | distance | of the mix | entropy | at alpha | latents "
            "| ghosting | usual"
        ),
        rows=tuple(rows),
    )


def _runs(labels: np.ndarray, classes: tuple[str, ...]) -> str:
    """`4 (5), 9 (2), 7 (3)`: the classes in the order in which they are passed, with steps."""
    starts = [0, *(np.flatnonzero(np.diff(labels)) + 1), len(labels)]
    return ", ".join(
        f"{classes[labels[begin]]} ({end - begin})" for begin, end in itertools.pairwise(starts)
    )


# Drawing ----------------------------------------------------------------------------------------


# Attribute of `Paths`, and of `Real` where real images have it -> title, unit.
LINES = {
    "nearest": ("Is it near to real images?", "L2 to the nearest image,\npixels in [0, 1]"),
    "entropy": ("Is the classifier sure?", "entropy, nats"),
    "sparsity": ("Is the latent space filled?", "distance to the 10th\ntraining latent"),
    "ghosting": ("Is it a cross-fade?", "ghosting: 1 cross-fade, 0 decided"),
}


def compose_walks(interpolation: Interpolation, pairs: Sequence[int]) -> Mosaic:
    """Each shown pair in two rows: the latents decoded, and the pixels mixed."""
    steps = interpolation.decoded.shape[1]
    rows = []
    for number, pair in enumerate(pairs):
        chances = interpolation.shown.confidence[pair]
        predicted = [interpolation.classes[label] for label in interpolation.shown.predicted[pair]]
        words = [f"{name}\n{chance:.2f}" for name, chance in zip(predicted, chances, strict=True)]
        if number == 0:
            words = [f"{step / (steps - 1):.2f}\n{word}" for step, word in enumerate(words)]
        name = interpolation.named(pair)
        decoded, mixed = interpolation.decoded[pair], interpolation.mixed[pair]
        rows.append(ImageRow(images=decoded, label=f"{name}:\nlatents, decoded", words=words))
        rows.append(ImageRow(images=mixed, label=f"{name}:\npixels, mixed"))
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
    if f"mixed_{measure}" in MIXES:
        mixed = np.median(getattr(interpolation.between, f"mixed_{measure}"), axis=0)
        axis.plot(alpha, mixed, "^:", color=MIXED, label="pixels mixed, different classes")
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

"""Walks between two latents: what the decoder makes of them, beside the same walk between pixels.

from analysis import interpolation
interpolation.path(start, end, steps=10)  # (10, ...)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.document import Block, Bullets, Cell, Figure, Heading, Paragraph, Section, Table
from analysis.interpolation.figures import LINES, compose_walks, draw_measure
from analysis.interpolation.measures import (
    STEPS,
    TRAINING,
    Paths,
    Real,
    entropy,
    ghosting,
    measure_paths,
    measure_real,
    path,
)
from analysis.interpolation.words import (
    answer,
    explain,
    introduce,
    measurements,
    middle_is_usual,
)
from analysis.mosaics import figure_of
from analysis.provenance import absent, source_of, title_of
from analysis.reconstructions.chapter import five
from analysis.records import Findings, PipelineRecord

__all__ = [
    "Interpolation",
    "compute_interpolation",
    "entropy",
    "ghosting",
    "path",
    "random_pairs",
    "section",
]

PAIRS = 100  # random ones of different classes, and as many of one class
REAL = 1000  # images of the split that the walks are compared with
X_LABEL = "step; above it alpha (top row), the class that the classifier names, its probability"
OTHERS: Mapping[str, tuple[tuple[int, int], ...]] = {"mnist": ((4, 7), (8, 9), (3, 4), (5, 1))}


@dataclass(frozen=True, kw_only=True)
class Interpolation:
    """Walks between pairs of images, those shown and many random ones.

    Attributes:
        shown: the pair of the five first, then the other pairs that are drawn.
        decoded: (P, S, C, H, W) in [0, 1], their latents decoded.
        mixed: (P, S, C, H, W) in [0, 1], their images mixed in pixel space.
        labels: (P, 2) classes of their ends.
        between: random pairs of different classes.
        within: random pairs of one class: what walking alone does, with no class to leave.
        real: images as they are.
        classes: names by label.
        training: how many training images distances are taken to.
    """

    shown: Paths
    decoded: np.ndarray
    mixed: np.ndarray
    labels: np.ndarray
    between: Paths
    within: Paths
    real: Real
    classes: tuple[str, ...]
    training: int

    def __post_init__(self) -> None:
        pairs, steps = self.shown.predicted.shape
        if self.decoded.shape[:2] != (pairs, steps) or self.mixed.shape != self.decoded.shape:
            raise ValueError(
                f"pictures must be ({pairs}, {steps}, C, H, W), not {self.decoded.shape} and "
                f"{self.mixed.shape}"
            )
        for name in ("decoded", "mixed"):
            pixels = getattr(self, name)
            if pixels.min() < -1e-6 or pixels.max() > 1 + 1e-6:
                raise ValueError(f"{name} must lie in [0, 1]")
        if self.labels.shape != (pairs, 2) or (self.labels[:, 0] == self.labels[:, 1]).any():
            raise ValueError("the pairs shown must be of different classes")

    def named(self, pair: int) -> str:
        """`4 to 7`."""
        start, end = self.labels[pair]
        return f"{self.classes[start]} to {self.classes[end]}"


def random_pairs(labels: np.ndarray, count: int, *, same: bool, seed: int) -> np.ndarray:
    """Random pairs of rows: of one class if `same`, else of two.

    Args:
        labels: (N,) classes.
        count: P.

    Returns:
        (P, 2) rows, never the same twice in a pair.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if (counts.max() < 2) if same else (len(classes) < 2):
        raise ValueError("no two images of one class" if same else "all images are of one class")
    rng = np.random.default_rng([seed, int(same)])
    pairs: list[tuple[int, int]] = []
    while len(pairs) < count:
        first, second = (int(row) for row in rng.integers(len(labels), size=2))
        if first != second and (labels[first] == labels[second]) == same:
            pairs.append((first, second))
    return np.array(pairs)


def shown_pairs(record: PipelineRecord, seed: int) -> np.ndarray:
    """(P, 2) rows of the pairs that are drawn: the first two of the five, then `OTHERS`."""
    labels = record.images.labels
    rng = np.random.default_rng([seed, 2])
    pairs = [tuple(five(record, seed)[:2])]
    for wanted in OTHERS.get(record.dataset, ()):
        found = [np.flatnonzero(labels == label) for label in wanted]
        if all(len(rows) for rows in found):
            pairs.append(tuple(rng.choice(rows) for rows in found))
    return np.array(pairs)


def compute_interpolation(record: PipelineRecord, seed: int) -> Interpolation:
    """Walk between the shown pairs and many random ones; measures are cached by weights."""
    images = record.images
    rows = shown_pairs(record, seed)
    ends = record.latents[rows]
    pixels = images.images[rows].astype(np.float32) / 255
    latents = np.stack([path(start, end) for start, end in ends])
    decoded = record.decode(latents.reshape(-1, latents.shape[-1]))
    sample = np.random.default_rng([seed, 3]).permutation(len(images))[:REAL]
    return Interpolation(
        shown=measure_paths(record, rows),
        decoded=decoded.reshape(len(rows), STEPS, *decoded.shape[1:]),
        mixed=np.stack([path(start, end) for start, end in pixels]),
        labels=images.labels[rows],
        between=measure_paths(record, random_pairs(images.labels, PAIRS, same=False, seed=seed)),
        within=measure_paths(record, random_pairs(images.labels, PAIRS, same=True, seed=seed)),
        real=measure_real(record, sample),
        classes=record.classes,
        training=min(len(record.data.train), TRAINING),
    )


def section(findings: Findings) -> Section:
    """The part of the report."""
    records = findings.of(method="autoencoder")
    blocks: list[Block] = [*absent(findings, ("mnist_autoencoder", "cifar_autoencoder"))]
    computed = {record.name: compute_interpolation(record, findings.seed) for record in records}
    if records:
        blocks.insert(0, Paragraph(introduce(records, computed)))
    for record in records:
        found = computed[record.name]
        blocks.append(Heading(title_of(record)))
        blocks.append(_walk_figure(record, found))
        if len(found.labels) > 1:
            blocks.append(_others_figure(record, found))
        blocks += [
            _table(record, found),
            _measures_figure(record, found),
            Paragraph(answer(record, found)),
            Bullets(measurements(found)),
            Paragraph(explain(found)),
        ]
    return Section(id="interpolation", title="Interpolation", blocks=tuple(blocks))


def _walk_figure(record: PipelineRecord, found: Interpolation) -> Figure:
    def draw() -> Canvas:
        return figure_of(
            compose_walks(found, [0]),
            title=f"{title_of(record)}: from {found.named(0)} in {STEPS} steps",
            x_label=X_LABEL,
            y_label="walk",
        )

    return Figure(
        name=f"interpolation_{record.name}",
        title=f"{title_of(record)}: ten steps between two of the five images",
        caption=f"From {found.named(0)} ({source_of(record)}). Above: the latents between, "
        "decoded; above each step the class that the classifier gives its latent, and its "
        "probability. Below: the images themselves mixed in the same shares, pixel by pixel. "
        "Alpha is the share of the right end; the outer columns are the ends, above "
        "reconstructed, below as they are.",
        draw=draw,
        alt=f"Ten pictures from {found.named(0)}, and ten cross-fades below them.",
    )


def _others_figure(record: PipelineRecord, found: Interpolation) -> Figure:
    pairs = range(1, len(found.labels))
    names = ", ".join(found.named(pair) for pair in pairs)

    def draw() -> Canvas:
        return figure_of(
            compose_walks(found, pairs),
            title=f"{title_of(record)}: {names}",
            x_label=X_LABEL,
            y_label="walk",
        )

    return Figure(
        name=f"interpolation_pairs_{record.name}",
        title=f"{title_of(record)}: other pairs",
        caption=f"As above for {names}: random images of these classes ({source_of(record)}). "
        "For each pair the decoded latents with the classifier's opinion, and below them the "
        "pixels mixed.",
        draw=draw,
        alt=f"Walks {names}, decoded, each with its cross-fade below.",
    )


def _measures_figure(record: PipelineRecord, found: Interpolation) -> Figure:
    def draw() -> Canvas:
        figure, axes = style.axes(2, 2, width=8.4, height=6.2)
        for axis, line in zip(axes, LINES, strict=True):
            draw_measure(axis, found, line)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
        return figure

    return Figure(
        name=f"interpolation_measures_{record.name}",
        title=f"{title_of(record)}: what the walks pass through",
        caption=f"Medians over {len(found.between.rows)} random pairs of different classes "
        f"(the band: from 10 to 90 % of them) and over {len(found.within.rows)} pairs of one "
        f"class, against {len(found.real.nearest):,} images as they are ({source_of(record)}; "
        f"distances to the first {found.training:,} training images). Ghosting: 1 where a step is "
        "the cross-fade of the two decoded ends, 0 where it is as far from that as a picture that "
        "decides each pixel for one of the ends.",
        draw=draw,
        alt="Four curves along the walk: distance to training images, entropy, density, ghosting.",
    )


def _table(record: PipelineRecord, found: Interpolation) -> Table:
    rows: list[tuple[Cell, ...]] = []
    shown = found.shown
    for pair in range(len(found.labels)):
        path_of_classes = _runs(shown.predicted[pair], found.classes)
        most = int(shown.entropy[pair].argmax())
        rows.append(
            (
                *(found.named(pair), path_of_classes),
                *(float(shown.middle(name)[pair]) for name in ("nearest", "mixed_nearest")),
                *(float(shown.entropy[pair, most]), f"{most}/{STEPS - 1}"),
                *(float(shown.middle("sparsity")[pair]), float(shown.middle("ghosting")[pair])),
                "yes" if middle_is_usual(shown, found.real)[pair] else "no",
            )
        )
    for name, paths in (("different classes", found.between), ("one class", found.within)):
        rows.append(
            (
                *(f"median of {len(paths.rows)}, {name}", ""),
                *(float(np.median(paths.middle(m))) for m in ("nearest", "mixed_nearest")),
                *(float(np.median(paths.entropy.max(axis=1))), ""),
                *(float(np.median(paths.middle(m))) for m in ("sparsity", "ghosting")),
                f"{100 * middle_is_usual(paths, found.real).mean():.0f} %",
            )
        )
    real = found.real
    rows.append(
        (
            *("median of real images", "", float(np.median(real.nearest)), None),
            *(float(np.median(real.entropy)), "", float(np.median(real.sparsity)), None, ""),
        )
    )
    return Table(
        name=f"interpolation_{record.name}",
        title=f"{title_of(record)}: the middles of the walks",
        caption="Means over the two middle steps. Distance: L2 on pixels in [0, 1] to the nearest "
        f"of {found.training:,} training images, of the decoded step and of the pixels' mix. "
        "Entropy: the classifier's largest along the walk, in nats, and at which alpha. Latents: "
        "distance to the 10th nearest training latent. Usual: whether the middle is as near to "
        "training images and as surely classified as 90 % of real images, and less than half a "
        f"cross-fade ({source_of(record)}).",
        columns=(
            *("walk", "classes named (steps)", "distance", "of the mix", "entropy", "at alpha"),
            *("latents", "ghosting", "usual"),
        ),
        rows=tuple(rows),
    )


def _runs(labels: np.ndarray, classes: tuple[str, ...]) -> str:
    """`4 (5), 9 (2), 7 (3)`: the classes in the order in which they are passed, with steps."""
    starts = [0, *(np.flatnonzero(np.diff(labels)) + 1), len(labels)]
    return ", ".join(
        f"{classes[labels[begin]]} ({end - begin})" for begin, end in itertools.pairwise(starts)
    )

"""Images beside what the decoder makes of them: how far off, for which images and classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.captions import absent, source_of, title_of
from analysis.document import Figure, Paragraph, Section, Table
from analysis.image_grid import figure_of
from analysis.reconstructions.errors import Reconstructions, compute_reconstructions
from analysis.reconstructions.figures import (
    compose_extremes,
    compose_five,
    draw_by_class,
    draw_histogram,
)
from analysis.reconstructions.words import describe, introduce
from analysis.records import Findings, PipelineRecord


def section(findings: Findings) -> Section:
    """The part of the report."""
    records = [one for one in findings.records.values() if one.model.decoder is not None]
    computed = {record.name: compute_reconstructions(record, findings.seed) for record in records}
    blocks: list[Paragraph | Figure | Table] = [
        *absent(findings, ("mnist_autoencoder", "cifar_autoencoder"))
    ]
    if records:
        blocks.insert(0, Paragraph(introduce(findings.seed)))
        blocks.append(_table(records, computed))
    for record in records:
        blocks += [
            _five_figure(record, computed[record.name]),
            Paragraph(describe(record, computed[record.name])),
            _distribution_figure(record, computed[record.name]),
            _extremes_figure(record, computed[record.name]),
        ]
    return Section(id="reconstructions", title="Reconstructions", blocks=tuple(blocks))


def _table(records: list[PipelineRecord], computed: Mapping[str, Reconstructions]) -> Table:
    lines = []
    for record in records:
        reconstructions = computed[record.name]
        low, median, high = np.quantile(reconstructions.errors, (0.05, 0.5, 0.95))
        lines.append(
            (
                *(
                    title_of(record),
                    record.split,
                    len(reconstructions.errors),
                    reconstructions.mean,
                ),
                *(float(low), float(median), float(high), float(reconstructions.errors.max())),
                *(reconstructions.recorded, reconstructions.linear, reconstructions.constant),
            )
        )
    return Table(
        name="reconstructions",
        title="Mean absolute error of the reconstructions",
        caption="Pixels in [0, 1]; quantiles over images. Recorded: what the rerun measured of the "
        "same weights on the test set. PCA: 128 principal components, mean over the rerun's "
        "seeds. Constant: the pixels' median over training images, the same answer to every "
        f"image. {'; '.join(f'{title_of(r)}: {source_of(r)}' for r in records)}.",
        columns=(
            *("autoencoder", "split", "images", "mean", "5 %", "median", "95 %", "largest"),
            *("recorded", "PCA", "constant"),
        ),
        rows=tuple(lines),
    )


def _five_figure(record: PipelineRecord, reconstructions: Reconstructions) -> Figure:
    def draw() -> Canvas:
        return figure_of(
            compose_five(reconstructions),
            title=f"{title_of(record)}: five random {record.split} images",
            x_label="image (its class above it)",
        )

    names = ", ".join(
        reconstructions.classes[reconstructions.labels[row]] for row in reconstructions.five
    )
    return Figure(
        name=f"reconstructions_{record.name}",
        title=f"{title_of(record)}: five images beside their reconstructions",
        caption=f"Five random images of different classes ({names}; {source_of(record)}). Above "
        "the image, then what the decoder makes of its 128 numbers with the mean absolute error on "
        "pixels in [0, 1], what PCA makes of as many numbers, and where the decoder's error lies, "
        "the mean over colours at each pixel. The decoder's error over the five is "
        f"{reconstructions.errors[reconstructions.five].mean():.4f} on average, over all "
        f"images {reconstructions.mean:.4f}.",
        draw=draw,
        alt=f"Five images of {names} in a row, their reconstructions, PCA's and errors below.",
    )


def _distribution_figure(record: PipelineRecord, reconstructions: Reconstructions) -> Figure:
    def draw() -> Canvas:
        figure, axes = style.axes(1, 2, width=8.0, height=3.8)
        draw_histogram(axes[0], reconstructions)
        draw_by_class(axes[1], reconstructions)
        return figure

    return Figure(
        name=f"reconstruction_errors_{record.name}",
        title=f"{title_of(record)}: distribution of the error",
        caption="Mean absolute error of each image, pixels in [0, 1] "
        f"({source_of(record)}). Left: all images. Right: one histogram for each class, all "
        "scaled to the same area, the class with the largest mean at the top; the upright stroke "
        "is the class's mean.",
        draw=draw,
        alt=f"Histograms of the error around {reconstructions.mean:.4f}, for all images and by "
        "class.",
    )


def _extremes_figure(record: PipelineRecord, reconstructions: Reconstructions) -> Figure:
    def draw() -> Canvas:
        return figure_of(
            compose_extremes(reconstructions),
            title=f"{title_of(record)}: best and worst reconstructions",
            x_label="image, from the extreme inwards",
        )

    best, worst = (
        reconstructions.errors[reconstructions.best[0]],
        reconstructions.errors[reconstructions.worst[0]],
    )
    return Figure(
        name=f"reconstruction_extremes_{record.name}",
        title=f"{title_of(record)}: best and worst",
        caption=f"The {len(reconstructions.best)} images with the smallest error above, those with "
        f"the largest below, each over its reconstruction ({source_of(record)}). The errors run "
        f"from {best:.4f} to {worst:.4f}. The images' contrast (standard deviation of pixels in "
        f"[0, 1]) is {reconstructions.contrast[reconstructions.best].mean():.2f} on average among "
        f"these best and {reconstructions.contrast[reconstructions.worst].mean():.2f} among these "
        "worst.",
        draw=draw,
        alt="Two rows of images and reconstructions with small errors, two with large ones.",
    )

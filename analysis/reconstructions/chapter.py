"""Images beside what the decoder makes of them: how far off, for which images and classes."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Figure, Paragraph, Section, Table, heads
from analysis.image_grid import figure_of
from analysis.reconstructions.errors import Reconstructions, compute_reconstructions
from analysis.reconstructions.figures import compose_extremes, compose_five, errors_figure
from analysis.records import Findings, PipelineRecord

INTRODUCTION = (
    "An autoencoder is judged here by the picture that its decoder makes of the 128 numbers that "
    "its encoder kept. The error is the mean absolute error (MAE) over an image's pixels, all "
    "colours, with pixels in [0, 1], whatever loss the training used. Five images of different "
    "classes were drawn at random (seed {seed}); the next section walks between two of the same "
    "five."
)


def section(findings: Findings) -> Section:
    """The part of the report."""
    records = [one for one in findings.records.values() if one.model.decoder is not None]
    computed = {record.name: compute_reconstructions(record, findings.seed) for record in records}
    blocks: list[Block] = [*absent(findings, "_autoencoder")]
    if records:
        blocks.insert(0, Paragraph(INTRODUCTION.format(seed=findings.seed)))
        blocks.append(_table(records, computed))
    for record in records:
        blocks += _of(record, computed[record.name])
    return Section(id="reconstructions", title="Reconstructions", blocks=tuple(blocks))


def _table(records: list[PipelineRecord], computed: Mapping[str, Reconstructions]) -> Table:
    lines = []
    for record in records:
        one = computed[record.name]
        shown = title_of(record), record.split, len(one.errors), one.mean
        quantiles = (*one.quantiles, float(one.errors.max()))
        lines.append((*shown, *quantiles, one.recorded, one.linear, one.constant))
    return Table(
        name="reconstructions",
        title="Mean absolute error of the reconstructions",
        caption="Pixels in [0, 1]; quantiles over images. Recorded: what the rerun measured of the "
        "same weights on the test set. PCA: 128 principal components, mean over the rerun's "
        "seeds. Constant: the pixels' median over training images, the same answer to every "
        f"image. {'; '.join(f'{title_of(r)}: {source_of(r)}' for r in records)}.",
        columns=heads(
            "autoencoder | split | images | mean | 5 % | median | 95 % | largest | recorded | PCA "
            "| constant"
        ),
        rows=tuple(lines),
    )


def _of(record: PipelineRecord, one: Reconstructions) -> list[Block]:
    """The five images, the errors by class, the extremes."""
    title, source = title_of(record), source_of(record)
    hardest, *_, easiest = (one.classes[label] for label in one.hardest_first)
    return [
        Figure(
            name=f"reconstructions_{record.name}",
            title=f"{title}: five images beside their reconstructions",
            caption=f"Five random images of different classes ({source}), what the decoder makes "
            "of their 128 numbers, what PCA makes of as many, and where the decoder's error lies, "
            "the mean over colours at each pixel.",
            draw=lambda: figure_of(
                compose_five(one),
                title=f"{title}: five random {record.split} images",
                x_label="image (its class above it)",
            ),
        ),
        Figure(
            name=f"reconstruction_errors_{record.name}",
            title=f"{title}: distribution of the error",
            caption=f"Mean absolute error of each image ({source}): one histogram for each class, "
            "all scaled to the same area, with a stroke at the class's mean. The hardest is "
            f"{hardest}, the easiest {easiest}; the class explains "
            f"{100 * one.explained_by_class:.0f} % of the variance between images.",
            draw=lambda: errors_figure(one),
        ),
        Figure(
            name=f"reconstruction_extremes_{record.name}",
            title=f"{title}: best and worst",
            caption=f"The {len(one.best)} images with the smallest error above, those with the "
            f"largest below ({source}).",
            draw=lambda: figure_of(
                compose_extremes(one),
                title=f"{title}: best and worst reconstructions",
                x_label="image, from the extreme inwards",
            ),
        ),
    ]

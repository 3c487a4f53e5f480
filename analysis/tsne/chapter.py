"""Latents and images in the plane, side by side, and what no projection can fake below them.

t-SNE (van der Maaten and Hinton, 2008) keeps neighbours together; distances between its clusters,
their sizes and their number mean little. So each space is measured where its points really lie
(separation.py), and every sentence rests on these measures (words.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Cell, Figure, Heading, Paragraph, Section, Table
from analysis.records import Findings, PipelineRecord
from analysis.tsne.embedding import NAMES
from analysis.tsne.figures import views_figure
from analysis.tsne.separation import MEASURES
from analysis.tsne.views import Views, compute_views
from analysis.tsne.words import answers


def section(findings: Findings) -> Section:
    """The section `tsne`: pictures of each pipeline, all measures, the questions' answers."""
    every = compute_views(findings)
    name = NAMES[findings.embedding]
    blocks: list[Block] = [
        Paragraph(_introduction(next(iter(every.values())))),
        *absent(findings),
        *(_figure(record, every[record.name], findings) for record in findings.records.values()),
        Heading("Side by side"),
        _table(every, name),
        *answers(every, findings),
    ]
    title = f"{name}: latents and images in the plane"
    return Section(id="tsne", title=title, blocks=tuple(blocks))


def _introduction(views: Views) -> str:
    warning = (
        "t-SNE keeps near neighbours together; the sizes of clusters and the distances between "
        "them mean nothing, and it can show clusters where there are none (van der Maaten and "
        "Hinton, 2008). "
    )
    return (
        f"Each figure shows the same images twice, by {views.latents.settings}: as the encoder "
        f"sees them, and as pixels. {warning * (views.latents.method == 'tsne')}The measures below "
        "the figures are taken in the full spaces, on the same images. **Silhouette** (Rousseeuw, "
        "1987), from -1 to 1: how much nearer an image is to its own class than to the next one. "
        f"**k-NN accuracy**: the {views.in_latents.k} nearest neighbours vote, each image left out "
        "of its own vote. **Between over within**: the scatter of the class means over the scatter "
        "around them, as traces. Distances are Euclidean."
    )


def _figure(record: PipelineRecord, views: Views, findings: Findings) -> Figure:
    return Figure(
        name=f"tsne_{record.name}",
        title=f"{title_of(record)}: latents and images, {NAMES[findings.embedding]}",
        caption=f"Left the latents, right the pixels of the same {len(views.labels):,} images, "
        f"drawn with seed {findings.seed} and classes in proportion ({source_of(record)}).",
        draw=lambda: views_figure(views, record.classes),
    )


def _table(every: Mapping[str, Views], name: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for pipeline, views in every.items():
        spaces = {"latents": views.in_latents, "pixels": views.in_pixels}
        for (space, separation), dimensions in zip(spaces.items(), views.dimensions, strict=True):
            measured = (getattr(separation, measure) for measure in MEASURES)
            rows.append((pipeline, space, dimensions, *measured))
    return Table(
        name="separation",
        title=f"Separation of the classes: what {name} cannot fake",
        caption="For the images of the figures, in all dimensions.",
        columns=("pipeline", "space", "dimensions", *MEASURES.values()),
        rows=tuple(rows),
    )

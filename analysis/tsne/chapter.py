"""Latents and images in the plane, side by side, and what no projection can fake below them.

t-SNE (van der Maaten and Hinton, 2008) keeps neighbours together; distances between its clusters,
their sizes and their number mean little. So each picture comes with measures taken where the points
really lie (separation.py), and every sentence rests on these (contrast.py).
"""

from __future__ import annotations

from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Figure, Heading, Paragraph, Section, Table
from analysis.records import SIX, Findings, PipelineRecord
from analysis.tsne import words
from analysis.tsne.contrast import COLUMNS, Space
from analysis.tsne.embedding import NAMES
from analysis.tsne.figures import views_figure
from analysis.tsne.views import Views, compute_views


def section(findings: Findings) -> Section:
    """The section `tsne`: pictures and measures of each pipeline, then the questions' answers."""
    every = compute_views(findings)
    blocks: list[Block] = [Paragraph(_introduction(next(iter(every.values()))))]
    blocks += absent(findings, SIX)
    spaces: dict[str, tuple[Space, Space]] = {}
    for name, record in findings.records.items():
        views = every[name]
        spaces[name] = (
            Space(record, "latents", views.images, views.in_latents),
            Space(record, "pixels", views.images, views.in_pixels),
        )
        blocks += _of(record, views, findings)
    blocks += words.blocks(spaces, findings)
    title = f"{NAMES[findings.embedding]}: latents and images in the plane"
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
        "each figure are taken in the full spaces, on the same images. **Silhouette** (Rousseeuw, "
        "1987), from -1 to 1: how much nearer an image is to its own class than to the next one. "
        f"**k-NN accuracy**: the {views.in_latents.k} nearest neighbours vote, each image left out "
        "of its own vote. **Between over within**: the scatter of the class means over the scatter "
        "around them, as traces. Distances are Euclidean."
    )


def _of(record: PipelineRecord, views: Views, findings: Findings) -> list[Block]:
    classes, name, count = record.classes, NAMES[findings.embedding], len(views.labels)
    caption = (
        f"Left the latents, right the pixels of the same {count:,} images, drawn with seed "
        f"{findings.seed} and classes in proportion; {views.latents.settings}. Colour and marker "
        "tell the class; its name stands where its own images are the majority. "
        f"{source_of(record)}."
    )
    return [
        Heading(title_of(record)),
        Figure(
            name=f"tsne_{record.name}",
            title=f"{title_of(record)}: latents and images, {name}",
            caption=caption,
            draw=lambda: views_figure(views, classes),
        ),
        Table(
            name=f"separation_{record.name}",
            title=f"{title_of(record)}: what {name} cannot fake",
            caption=f"For the same {count:,} images, in all dimensions; the largest class holds "
            f"{100 * views.in_latents.chance:.1f} % of them. {source_of(record)}.",
            columns=("space", "dimensions", *COLUMNS),
            rows=tuple(
                (what, dimensions, separation.silhouette, separation.knn, separation.scatter)
                for what, dimensions, separation in (
                    ("latents", views.dimensions[0], views.in_latents),
                    ("pixels", views.dimensions[1], views.in_pixels),
                )
            ),
        ),
    ]

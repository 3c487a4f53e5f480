"""Latents and images in the plane, side by side, and what no projection can fake below them.

t-SNE (van der Maaten and Hinton, 2008) keeps neighbours together; distances between its clusters,
their sizes and their number mean little. So each picture comes with measures taken where the points
really lie (separation.py), and every sentence rests on these (separability.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.cache import Cache
from analysis.document import Block, Figure, Heading, Paragraph, Section, Table
from analysis.provenance import absent, source_of, title_of
from analysis.records import SIX, Findings, PipelineRecord
from analysis.tsne import words
from analysis.tsne.embedding import COMPONENTS, NAMES, PERPLEXITY, Embedding, embed, require
from analysis.tsne.figures import draw_embedding, views_figure
from analysis.tsne.separability import COLUMNS, Space
from analysis.tsne.separation import NEIGHBOURS, Separation, choose, compute_separation, digest

__all__ = ["Views", "compute_views", "draw_embedding", "embed", "section", "views_figure"]


@dataclass(frozen=True, kw_only=True)
class Views:
    """A pipeline's images, chosen by lot, in both domains.

    Attributes:
        rows: (N,) which images of the record's split.
        labels: (N,) their classes.
        latents, pixels: the same N images in the plane.
        in_latents, in_pixels: how separated the classes are where the points really lie.
        images: names the chosen images: equal for equal images in equal order.
        dimensions: of latents and of pixels.
    """

    rows: np.ndarray
    labels: np.ndarray
    latents: Embedding
    pixels: Embedding
    in_latents: Separation
    in_pixels: Separation
    images: str
    dimensions: tuple[int, int]

    def __post_init__(self) -> None:
        lengths = {len(self.rows), len(self.labels), len(self.latents), len(self.pixels)}
        lengths |= {len(self.in_latents), len(self.in_pixels)}
        if len(lengths) != 1:
            raise ValueError(f"the parts of a view are of {sorted(lengths)} points")


def compute_views(findings: Findings) -> dict[str, Views]:
    """Pipeline -> its images in both domains; the images of pipelines that share them once.

    Everything is cached by what it follows from: the points themselves (which name weights and
    images), their number, the seed and the settings.
    """
    require(findings.embedding)
    return {name: _views(record, findings) for name, record in findings.records.items()}


def _views(record: PipelineRecord, findings: Findings) -> Views:
    labels = record.images.labels
    rows = choose(labels, findings.points, seed=findings.seed)
    images = record.images.images[rows]
    latents = record.latents[rows]
    flat = images.reshape(len(images), -1)
    pixels = flat.astype(np.float32) / 255
    named = {"latents": record.weights, "pixels": record.dataset}
    embedded, separated = {}, {}
    for what, points in (("latents", latents), ("pixels", pixels)):
        embedded[what] = _embedded(points, named[what], findings)
        separated[what] = _separated(points, labels[rows], named[what], findings.cache)
    return Views(
        rows=rows,
        labels=labels[rows],
        latents=embedded["latents"],
        pixels=embedded["pixels"],
        in_latents=separated["latents"],
        in_pixels=separated["pixels"],
        images=digest(images),
        dimensions=(latents.shape[1], flat.shape[1]),
    )


def _embedded(points: np.ndarray, named: str, findings: Findings) -> Embedding:
    import sklearn

    method, seed = findings.embedding, findings.seed
    key = {
        "of": named,
        "points": digest(points),
        "count": len(points),
        "seed": seed,
        "method": method,
        "perplexity": PERPLEXITY,
        "components": COMPONENTS,
        "sklearn": sklearn.__version__,
    }

    def compute() -> dict[str, np.ndarray]:
        found = embed(points, seed=seed, method=method)
        settings = np.array([found.perplexity or 0, found.components or 0], dtype=float)
        return {"plane": found.plane, "settings": settings}

    stored = findings.cache.get("embedding", key, compute)
    perplexity, components = stored["settings"]
    return Embedding(
        plane=stored["plane"],
        method=method,
        perplexity=float(perplexity) or None,
        components=int(components) or None,
    )


def _separated(points: np.ndarray, labels: np.ndarray, named: str, cache: Cache) -> Separation:
    key = {
        "of": named,
        "points": digest(points),
        "labels": digest(labels),
        "k": NEIGHBOURS,
    }

    def compute() -> dict[str, np.ndarray]:
        found = compute_separation(points, labels)
        numbers = np.array([found.silhouette, found.scatter, found.k, found.chance])
        return {"numbers": numbers, "hits": found.hits}

    stored = cache.get("separation", key, compute)
    silhouette, scatter, k, chance = map(float, stored["numbers"])
    return Separation(
        silhouette=silhouette,
        knn=float(stored["hits"].mean()),
        scatter=scatter,
        hits=stored["hits"],
        k=int(k),
        chance=chance,
    )


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
            alt=caption,
        ),
        Table(
            name=f"separation_{record.name}",
            title=f"{title_of(record)}: what {name} cannot fake",
            caption=f"Of the same {count:,} images, in all dimensions; the largest class holds "
            f"{100 * views.in_latents.chance:.1f} % of them. {source_of(record)}.",
            columns=("space", "dimensions", *COLUMNS),
            rows=tuple(
                (what, dimensions, found.silhouette, found.knn, found.scatter)
                for what, dimensions, found in (
                    ("latents", views.dimensions[0], views.in_latents),
                    ("pixels", views.dimensions[1], views.in_pixels),
                )
            ),
        ),
    ]

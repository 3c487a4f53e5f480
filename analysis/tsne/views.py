"""A pipeline's latents in two dimensions, and how well classes are apart there."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from analysis.cache import Cache
from analysis.records import Findings, PipelineRecord
from analysis.tsne.embedding import COMPONENTS, PERPLEXITY, Embedding, embed
from analysis.tsne.separation import NEIGHBOURS, Separation, choose, compute_separation, digest


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


def compute_views(findings: Findings) -> dict[str, Views]:
    """Pipeline -> its images in both domains; the images of pipelines that share them once.

    Everything is cached by what it follows from: the points themselves (which name weights and
    images), their number, the seed and the settings.
    """
    return {name: _views(record, findings) for name, record in findings.records.items()}


def _views(record: PipelineRecord, findings: Findings) -> Views:
    labels = record.images.labels
    rows = choose(labels, findings.points, seed=findings.seed)
    images = record.images.images[rows]
    latents = record.latents[rows]
    flat = images.reshape(len(images), -1)
    pixels = flat.astype(np.float32) / 255
    return Views(
        rows=rows,
        labels=labels[rows],
        latents=_embedded(latents, record.weights, findings),
        pixels=_embedded(pixels, record.dataset, findings),
        in_latents=_separated(latents, labels[rows], record.weights, findings.cache),
        in_pixels=_separated(pixels, labels[rows], record.dataset, findings.cache),
        images=digest(images),
        dimensions=(latents.shape[1], flat.shape[1]),
    )


def _embedded(points: np.ndarray, named: str, findings: Findings) -> Embedding:
    import sklearn

    asked = {"seed": findings.seed, "method": findings.embedding}
    settings = {"perplexity": PERPLEXITY, "components": COMPONENTS, "sklearn": sklearn.__version__}
    key = {"of": named, "points": digest(points), **asked, **settings}
    compute = functools.partial(embed, points, seed=findings.seed, method=findings.embedding)
    return findings.cache.get("embedding", key, compute, kind=Embedding)


def _separated(points: np.ndarray, labels: np.ndarray, named: str, cache: Cache) -> Separation:
    key = {"of": named, "points": digest(points), "labels": digest(labels), "k": NEIGHBOURS}
    compute = functools.partial(compute_separation, points, labels)
    return cache.get("separation", key, compute, kind=Separation)

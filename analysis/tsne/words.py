"""The assignment's questions about separable spaces, answered from measures."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.captions import title_of
from analysis.document import Block, Bullets, Heading, Paragraph
from analysis.records import Findings
from analysis.sentences import listed, p_value, points
from analysis.tsne.separation import MEASURES, Separation
from analysis.tsne.views import Views
from search.cells.statistics import SIGNIFICANT, on_images

GUIDED = (
    "The losses ask for different things. Cross-entropy only asks that classes can be told apart; "
    "a reconstruction has to keep all that the pixels need, and the contrastive loss (Chen et al., "
    "2020) all that tells one image from the next. Neither of these two is asked to put a class in "
    "one place."
)
AGAINST_PIXELS = (
    "Pixels compare images place by place, so that a shift or another background moves an image as "
    "far as another class does. A latent need not keep these; but all its coordinates have one "
    "variance, so that to a distance those that classes do not depend on count as much as others."
)
CONTRASTIVE = (
    "The contrastive loss asks for views of one image close together and for all images spread "
    "over the sphere (Wang and Isola, 2020), not for one heap a class: it orders an image's "
    "neighbourhood. What it is worth to a classifier is tested against its ablation in "
    "[the summary](#summary)."
)


def answers(every: Mapping[str, Views], findings: Findings) -> list[Block]:
    """The three questions, with what the measures say and one explanation each."""
    titles = {name: title_of(record) for name, record in findings.records.items()}

    def against(first: str, second: str) -> list[str]:
        pairs = [
            (one.name, other.name)
            for dataset in findings.specs
            for one in findings.of(dataset, first)
            for other in findings.of(dataset, second)
        ]
        return [
            verdict(
                *(titles[one], titles[other]),
                *(every[one].in_latents, every[other].in_latents),
                paired=every[one].images == every[other].images,
            )
            for one, other in pairs
        ]

    pixels = [
        verdict(titles[name], "its pixels", views.in_latents, views.in_pixels, paired=True)
        for name, views in every.items()
    ]
    questions = (
        (
            "Self-supervised against classification-guided",
            against("supervised", "autoencoder") + against("supervised", "contrastive"),
            GUIDED,
        ),
        ("Signal domain against latent space", pixels, AGAINST_PIXELS),
        (
            "Did the contrastive method make the space more separable?",
            against("contrastive", "autoencoder"),
            CONTRASTIVE,
        ),
    )
    nothing = "This cannot be said here: of the two spaces that it needs, one is missing."
    blocks: list[Block] = []
    for question, verdicts, explanation in questions:
        told = Bullets(tuple(verdicts or [nothing]))
        blocks += [Heading(question), told, Paragraph(explanation)]
    return blocks


def verdict(first: str, second: str, one: Separation, other: Separation, *, paired: bool) -> str:
    """One sentence: by which measures the first space is the more separable, and by chance?"""
    ahead = [
        name for field, name in MEASURES.items() if getattr(one, field) > getattr(other, field)
    ]
    by = listed(ahead) or "none of the measures"
    by = "all three measures" if len(ahead) == len(MEASURES) else by
    images = "not of the same images"
    if paired:
        p = on_images(one.hits, other.hits)
        chance = ", which may be chance" * (p >= SIGNIFICANT)
        images = f"{p_value(p)} over the same images{chance}"
    return (
        f"{first} is ahead of {second} by {by}; in k-NN accuracy {points(one.knn - other.knn)} "
        f"points, {images}."
    )

"""The assignment's questions about separable spaces, answered from measures.

The sentences follow the numbers, whichever way they fall.
"""

from __future__ import annotations

from collections.abc import Mapping

from analysis import result_rows as rows
from analysis.captions import title_of
from analysis.document import Block, Bullets, Cell, Figure, Heading, Paragraph, Table
from analysis.records import Findings, PipelineRecord
from analysis.tsne import contrast as contrasts
from analysis.tsne.contrast import Contrast, Space, compute_contrast, verdict
from search.cells.statistics import SIGNIFICANT
from search.finals.comparisons import ABLATION, ITS_ABLATION
from trainers.data import DATASETS


def blocks(spaces: Mapping[str, tuple[Space, Space]], findings: Findings) -> list[Block]:
    """All pipelines side by side, and the three questions."""
    rows: list[tuple[Cell, ...]] = [
        (name, space.what, *(getattr(space.separation, a) for a, _, _ in contrasts.MEASURES))
        for name, pair in spaces.items()
        for space in pair
    ]
    return [
        Heading("Side by side"),
        Figure(
            name="separation",
            title="Separation of the classes, latents against pixels",
            caption="The measures of the tables above, pipeline by pipeline: filled circles are "
            "latents, hollow squares the same images' pixels; further right is more separable.",
            draw=lambda: contrasts.measures_figure(spaces),
        ),
        Table(
            name="separation",
            title="Separation of the classes in all spaces",
            caption="As below each figure: silhouette, leave-one-out accuracy of the nearest "
            "neighbours, scatter between classes over scatter within.",
            columns=("pipeline", "space", *contrasts.COLUMNS),
            rows=tuple(rows),
        ),
        Heading("Self-supervised against classification-guided"),
        *guided(spaces, findings),
        Heading("Signal domain against latent space"),
        *against_pixels(spaces),
        Heading("Did the contrastive method make the space more separable?"),
        *contrastive(spaces, findings),
    ]


def guided(spaces: Mapping[str, tuple[Space, Space]], findings: Findings) -> list[Block]:
    """Supervised against the spaces that were trained without labels."""
    verdicts, outcomes = [], []
    for dataset in DATASETS:
        supervised = spaces.get(f"{dataset}_supervised")
        for method in ("autoencoder", "contrastive"):
            other = spaces.get(f"{dataset}_{method}")
            if supervised is None or other is None:
                continue
            contrast = compute_contrast(supervised[0], other[0])
            outcomes.append(contrast)
            verdicts.append(verdict(supervised[0].title, other[0].title, contrast))
    if not outcomes:
        return [_nothing("both a supervised and a self-supervised space", findings)]
    explanation = (
        "The aims of the losses explain such a difference. Cross-entropy only asks that classes "
        "can be told apart: whatever does not help may vanish from the latent, and images of one "
        "class draw together. A reconstruction has to keep all that the pixels need (slant and "
        "thickness of strokes, colours, background), and the contrastive loss all that tells one "
        "image from the next; neither is asked to put a class in one place."
    )
    if all(contrast.all_ahead for contrast in outcomes):
        lead = "Guidance by labels gave the more separable space in every comparison here. "
    elif any(contrast.all_ahead for contrast in outcomes):
        lead = "Guidance by labels gave the more separable space in some comparisons, not in all. "
    else:
        lead = "Guidance by labels did not give the more separable space in any comparison here. "
        explanation = (
            "This is not what the losses lead one to expect: cross-entropy asks for separable "
            "classes and for nothing else. Look first whether the supervised encoder was trained "
            "too briefly or with poor parameters; its accuracy stands in the summary."
        )
    return [Bullets(tuple(verdicts)), Paragraph(lead + explanation)]


def against_pixels(spaces: Mapping[str, tuple[Space, Space]]) -> list[Block]:
    """Latents against the pixels of the same images."""
    compared = {pair[0].title: compute_contrast(*pair) for pair in spaces.values()}
    verdicts = [
        verdict(f"{name}'s latent space", "its images' pixels", contrast)
        for name, contrast in compared.items()
    ]
    better = [name for name, contrast in compared.items() if contrast.all_ahead]
    worse = [name for name, contrast in compared.items() if contrast.all_behind]
    mixed = [name for name in compared if name not in better and name not in worse]
    sentences = []
    if better:
        sentences.append(
            f"More separable than pixels by all three measures: {', '.join(better)}. Pixels "
            "compare images place by place, so that a shift, another brightness or another "
            "background moves an image further than another class does; a convolutional encoder "
            "can discount these."
        )
    if worse:
        sentences.append(
            f"Less separable than pixels by all three measures: {', '.join(worse)}. A latent space "
            "may hold the classes and still not show them to Euclidean distances: every coordinate "
            "has the same variance, so that a direction in which images hardly differ counts as "
            "much as one in which they differ widely. A classifier can weigh the directions; a "
            "distance cannot."
        )
    if mixed:
        sentences.append(
            f"Undecided, since the measures disagree or are level: {', '.join(mixed)}."
        )
    return [Bullets(tuple(verdicts)), Paragraph(" ".join(sentences))]


def contrastive(spaces: Mapping[str, tuple[Space, Space]], findings: Findings) -> list[Block]:
    """The contrastive spaces against the autoencoders' and against their ablations."""
    content: list[Block] = []
    for dataset in DATASETS:
        mine = spaces.get(f"{dataset}_contrastive")
        if mine is None:
            continue
        told = f"There is no {dataset}_autoencoder to compare {mine[0].title} with."
        because: list[Block] = []
        if other := spaces.get(f"{dataset}_autoencoder"):
            contrast = compute_contrast(mine[0], other[0])
            told = verdict(mine[0].title, other[0].title, contrast)
            because = [Paragraph(how(DATASETS[dataset].title, contrast))]
        content += [Bullets((told, _ablation(mine[0].record, findings))), *because]
    return content or [_nothing("a contrastive space", findings)]


def how(title: str, contrast: Contrast) -> str:
    """In which way the contrastive space is more separable than the autoencoder's, or why not."""
    if contrast.all_ahead:
        weak = contrast.p is not None and contrast.p >= SIGNIFICANT
        chance = ", though the gain in k-NN accuracy alone may be chance" if weak else ""
        return (
            f"On {title} the contrastive space is the more separable one{chance}. It was trained "
            "to give two views of an image one place; what differs between views, which a class "
            "does not depend on, no longer pulls images of one class apart."
        )
    if contrast.all_behind:
        return (
            f"On {title} the method did not have the desired effect on distances. NT-Xent tells "
            "single images apart and never sees a class: it pays to spread images over the whole "
            "sphere, members of one class among them. And the views teach only the invariances "
            "that they contain. Which of the two weighs more these numbers do not say."
        )
    if "k-NN accuracy" in contrast.ahead:
        return (
            f"On {title} the neighbours of an image are more often of its class, while the classes "
            "are not more compact by every measure. This is what NT-Xent asks for: views of one "
            "image close together, all images spread over the sphere. It arranges neighbourhoods "
            "rather than one heap a class, and a classifier needs no more."
        )
    return (
        f"On {title} the measures do not agree on a gain, and the neighbours of an image are not "
        "more often of its class: a more separable space is not shown."
    )


def _ablation(record: PipelineRecord, findings: Findings) -> str:
    """Quote the rerun's tests of the contrastive loss itself, on classifiers' test accuracy."""
    compared = [
        c for c in (record.result or {}).get("comparisons", []) if c["second"] == ITS_ABLATION
    ]
    if not compared:
        command = findings.missing.get(record.name)
        run = f" Run: `{command}`." if command else ""
        why = "has no ablation that was tested" if record.final else "is not final"
        return (
            f"{title_of(record)} {why}, so it cannot be compared with its ablation (the same "
            f"encoder and views, trained to reconstruct instead).{run}"
        )
    return (
        "Against its ablation (the same encoder and views, trained to reconstruct instead), by "
        f"classifiers on the latents of test images: {compared[0]['verdict']}.{_linear(record)}"
    )


def _linear(record: PipelineRecord) -> str:
    metric = "valid/linear_accuracy"
    mine = rows.mean(rows.champion(record), metric)
    theirs = rows.mean(rows.find(record, ABLATION), metric)
    if mine is None or theirs is None:
        return ""
    shown, against = f"{100 * mine:.1f} %", f"{100 * theirs:.1f} %"
    if shown == against:
        return f" A linear probe sees no difference: {shown} of validation images for both."
    more = "more" if mine > theirs else "less"
    return (
        f" The classes are {more} separable by planes than the ablation's: a linear probe is "
        f"right on {shown} of validation images against {against}."
    )


def _nothing(what: str, findings: Findings) -> Paragraph:
    commands = "; ".join(f"`{command}`" for command in findings.missing.values())
    run = f" Run: {commands}." if commands else ""
    return Paragraph(f"This needs {what} of one data set, which is missing.{run}")

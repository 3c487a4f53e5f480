"""Sentences about the structure of latent spaces, each true of the numbers it was made from."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.captions import title_of
from analysis.document import Block, Bullets, Paragraph
from analysis.latents.structure import Structure
from analysis.records import Findings, PipelineRecord
from trainers.data import DATASETS

Structures = Mapping[str, tuple[Structure, Structure]]  # before and after training


def introduction(count: int, seed: int, strength: float) -> str:
    """Say which measures the section shows, and how it takes them."""
    return (
        "**Alignment** is the mean squared distance between two augmented views of an image, "
        "**uniformity** the logarithm of the mean Gaussian potential exp(-2 d²) over pairs of "
        "different images, both on latents scaled to length 1 (Wang and Isola, 2020); both are "
        f"better lower. The views are drawn by the training's own policy at strength {strength:g} "
        f"for every pipeline, the same views for all, seed {seed}. **Effective rank** (Roy and "
        "Vetterli, 2007) is the exponential of the entropy of the covariance's eigenvalues as "
        "shares of their sum: how many directions are in use. **Before** is the same architecture "
        "with fresh weights, its normalisation layers settled on training images: what it gives "
        f"without learning. Each measure is taken on {count:,} images or as many as there are."
    )


def contrastive(structures: Structures, findings: Findings) -> list[Block]:
    """Compare the contrastive space with its beginning and with the autoencoder's."""
    content: list[Block] = []
    for dataset, spec in DATASETS.items():
        name = f"{dataset}_contrastive"
        if name not in structures:
            continue
        before, after = structures[name]
        behind = findings.records[name].info["params"].get("projection", "head") != "none"
        began = f"From before to after training: {_changes(before, after)}."
        other = f"{dataset}_autoencoder"
        against = f"There is no {other} to compare with."
        if other in structures:
            changes = _changes(structures[other][1], after)
            against = f"From the autoencoder's space to the contrastive one: {changes}."
        said = f"**{spec.title}.** {verdict(before, after, behind_head=behind)}"
        content += [Paragraph(said), Bullets((began, against))]
    if content:
        return content
    names = [f"{dataset}_contrastive" for dataset in DATASETS]
    commands = "; ".join(f"`{findings.missing[n]}`" for n in names if n in findings.missing)
    run = f" Run: {commands}." if commands else ""
    return [Paragraph(f"There is no contrastive space to look at.{run}")]


def verdict(before: Structure, after: Structure, *, behind_head: bool) -> str:
    """Whether training moved the space as the contrastive loss asks, behind a head or directly."""
    nearer = _side(before.alignment, after.alignment) < 0
    evener = _side(before.uniformity, after.uniformity) < 0
    views = (
        f"two views of an image lie at {after.closeness:.2f} of the distance of two different "
        f"images, against {before.closeness:.2f} before"
    )
    head = (
        "The loss is taken behind the projection head, so that the latents show what it asks only "
        "as far as the head lets it through."
        if behind_head
        else "The loss is taken on the latents themselves."
    )
    if nearer and evener:
        return (
            "Contrastive training did what its loss asks for: views of an image moved together "
            f"({views}), and different images spread more evenly over the sphere. {head}"
        )
    if nearer:
        ranks = f"effective rank {before.rank:.1f} to {after.rank:.1f}"
        gathered = f": the latents gather in fewer directions ({ranks})"
        fewer = gathered * (after.rank < before.rank)
        return (
            f"Contrastive training moved views of an image together ({views}), but did not spread "
            f"different images more evenly than fresh weights do{fewer}. Fresh weights scatter "
            "images without regard to what they show, so that their evenness alone is no merit. "
            f"{head}"
        )
    if evener:
        return (
            "Contrastive training spread different images more evenly over the sphere, but did "
            f"not move views of an image together: {views}. {head}"
        )
    return (
        "By these two measures contrastive training did not move the latents as its loss asks: "
        f"neither are views nearer ({views}) nor images more evenly spread. {head}"
    )


def general(structures: Structures, records: Mapping[str, PipelineRecord]) -> list[Block]:
    """How many directions each space uses, and how its coordinates are tied."""
    bullets = []
    for dataset, spec in DATASETS.items():
        names = [name for name, record in records.items() if record.dataset == dataset]
        if not names:
            continue
        ranks = {records[name].called: structures[name][1].rank for name in names}
        shown = ", ".join(f"{method} {rank:.1f}" for method, rank in ranks.items())
        text = f"**{spec.title}**: effective rank {shown}"
        if len(ranks) > 1:
            most, least = max(ranks, key=ranks.__getitem__), min(ranks, key=ranks.__getitem__)
            ratio = ranks[most] / ranks[least] if ranks[least] else 0.0
            text += (
                f"; the {most} space uses {ratio:.1f} times as many directions as the {least} one"
                if ratio >= 1.05
                else "; all use about as many directions"
            )
        ties = {m: structures[n][1].correlation for m, n in zip(ranks, names, strict=True)}
        text += ". Mean absolute correlation of two coordinates: "
        text += ", ".join(f"{method} {tie:.3f}" for method, tie in ties.items()) + "."
        bullets.append(text)
    return [Bullets(tuple(bullets)), *_classes(structures, records)]


def _classes(structures: Structures, records: Mapping[str, PipelineRecord]) -> list[Block]:
    """Supervised spaces against the directions that their classes need."""
    comparisons = []
    for name, record in records.items():
        if record.method != "supervised":
            continue
        rank, needed = structures[name][1].rank, len(record.classes) - 1
        place = (
            "close to that"
            if needed / 1.5 <= rank <= 1.5 * needed
            else "more than that: much else is left in it"
            if rank > needed
            else "fewer than that"
        )
        comparisons.append(f"{title_of(record)}: {rank:.1f} against {needed}, {place}")
    if not comparisons:
        return []
    return [
        Paragraph(
            "To tell K classes apart K - 1 directions are enough, and a supervised space may give "
            f"up the rest. Effective rank against K - 1: {'; '.join(comparisons)}."
        )
    ]


def _changes(first: Structure, second: Structure) -> str:
    """From first to second, measure by measure."""
    parts = []
    for field, name, decimals, falls, rises in (
        ("alignment", "alignment", 3, "nearer", "further apart"),
        ("uniformity", "uniformity", 3, "evener", "less even"),
        ("rank", "effective rank", 1, "fewer", "more"),
        ("correlation", "mean absolute correlation", 3, "looser", "tighter"),
    ):
        one, other = getattr(first, field), getattr(second, field)
        word = ("unchanged", rises, falls)[_side(one, other)]
        parts.append(f"{name} {one:.{decimals}f} to {other:.{decimals}f} ({word})")
    return ", ".join(parts)


def _side(one: float, other: float) -> int:
    """-1 where it falls, 1 where it rises, 0 where two decimals do not show it."""
    return 0 if f"{one:.2f}" == f"{other:.2f}" else (1 if other > one else -1)

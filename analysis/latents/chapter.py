"""Structure of the latent space: alignment, uniformity, spectrum, correlation; before and after.

Each pipeline is compared with its own encoder before training (fresh weights of the same
architecture), and with the others of its data set. The measures themselves: `trainers.measures`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.captions import absent, source_of, title_of
from analysis.document import (
    Block,
    Bullets,
    Cell,
    Figure,
    Heading,
    Paragraph,
    Section,
    Table,
    heads,
)
from analysis.latents.structure import STRENGTH, Structure, compute_structures
from analysis.records import Findings, PipelineRecord

LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1, 1.5)))
FLOOR = 1e-6  # shares below are not drawn: rounding, not structure


def section(findings: Findings) -> Section:
    """The section `structure`."""
    structures = compute_structures(findings)
    records = findings.records
    count = next(iter(structures.values()))[1].count
    sources = "; ".join(f"{title_of(r)}: {source_of(r)}" for r in records.values())
    blocks: list[Block] = [
        Paragraph(_introduction(count, findings.seed)),
        *absent(findings),
        Table(
            name="structure",
            title="Structure of the latent space",
            caption="Before: fresh weights. Views over pairs: the distance of two views of an "
            f"image over that of two different images. {sources}.",
            columns=heads(
                "pipeline | training | alignment | views over pairs | uniformity | effective rank "
                "| of dimensions | mean |correlation|"
            ),
            rows=tuple(
                row
                for name, (before, after) in structures.items()
                for row in (_row(name, "before", before), _row(name, "after", after))
            ),
        ),
        Figure(
            name="spectra",
            title="Spectrum of the latent covariance",
            caption="Eigenvalues of the covariance of the latents, largest first, as shares of "
            "their sum: thick lines after training, thin ones before. A flat line uses all "
            "directions alike. The legend gives effective ranks, before to after.",
            draw=lambda: spectrum_figure(structures, records),
        ),
    ]
    contrastive = findings.of(method="contrastive")
    verdicts = tuple(verdict(record, *structures[record.name]) for record in contrastive)
    if verdicts:
        blocks += [Heading("Before and after contrastive training"), Bullets(verdicts)]
    return Section(id="structure", title="Structure of the latent space", blocks=tuple(blocks))


def _introduction(count: int, seed: int) -> str:
    return (
        "**Alignment** is the mean squared distance between two augmented views of an image, "
        "**uniformity** the logarithm of the mean Gaussian potential exp(-2 d²) over pairs of "
        "different images, both on latents scaled to length 1 (Wang and Isola, 2020); both are "
        f"better lower. The views are drawn by the training's own policy at strength {STRENGTH:g} "
        f"for every pipeline, the same views for all, seed {seed}. **Effective rank** (Roy and "
        "Vetterli, 2007) is the exponential of the entropy of the covariance's eigenvalues as "
        "shares of their sum: how many directions are in use. **Before** is the same architecture "
        "with fresh weights, its normalisation layers settled on training images. Each measure is "
        f"taken on {count:,} images a data set."
    )


def verdict(record: PipelineRecord, before: Structure, after: Structure) -> str:
    """Whether training moved the space as the contrastive loss asks, behind a head or directly."""
    nearer = "" if after.alignment < before.alignment else "not "
    evener = "" if after.uniformity < before.uniformity else "not "
    headless = record.info["params"].get("projection", "head") == "none"
    where = "on the latents themselves" if headless else "behind the projection head"
    return (
        f"**{title_of(record)}.** The loss, taken {where}, asks for views of an image close "
        "together and for different images evenly spread over the sphere (Wang and Isola, 2020). "
        f"Training did {nearer}bring views nearer and did {evener}spread images more evenly."
    )


def _row(name: str, when: str, structure: Structure) -> tuple[Cell, ...]:
    rank, dimensions = f"{structure.rank:.1f}", len(structure.spectrum)
    measures = structure.alignment, structure.closeness, structure.uniformity
    return name, when, *measures, rank, dimensions, structure.correlation


# Drawing ----------------------------------------------------------------------------------------


def draw_spectrum(axis: Axes, name: str, before: Structure, after: Structure, called: str) -> None:
    """Shares of the variance by direction, largest first, on a logarithmic axis."""
    place = style.place_of(name)  # colour, marker and line: three ways to tell methods apart
    look: dict[str, Any] = {"color": style.COLOURS[place], "ls": LINES[place % len(LINES)]}
    ranks = f"{called}: {before.rank:.0f} to {after.rank:.0f}"
    trained = {"lw": 1.9, "marker": style.MARKERS[place], "ms": 4.5, "label": ranks}
    for structure, more in ((before, {"lw": 0.9, "alpha": 0.45}), (after, trained)):
        shares = structure.spectrum / max(structure.spectrum.sum(), 1e-300)
        shares = np.where(shares > FLOOR, shares, np.nan)
        directions = np.arange(1, len(shares) + 1)
        axis.plot(directions, shares, markevery=max(1, len(shares) // 8), **look, **more)
    axis.set_yscale("log")
    axis.set(xlabel="direction, by its variance", ylabel="share of the variance")


def spectrum_figure(
    structures: Mapping[str, tuple[Structure, Structure]], records: Mapping[str, PipelineRecord]
) -> Canvas:
    """A panel a data set, all its methods in it."""
    specs = {record.dataset: record.data.spec for record in records.values()}
    figure, axes = style.axes(1, len(specs), height=3.6)
    for axis, (dataset, spec) in zip(axes, specs.items(), strict=True):
        axis.set_title(spec.title)
        for name in (name for name, record in records.items() if record.dataset == dataset):
            draw_spectrum(axis, name, *structures[name], records[name].called)
        axis.legend(fontsize=8, title="effective rank", title_fontsize=8)
    return figure

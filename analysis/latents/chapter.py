"""Structure of the latent space: alignment, uniformity, spectrum, correlation; before and after.

Each pipeline is compared with its own encoder before training (fresh weights of the same
architecture), and with the others of its data set. The measures themselves: `trainers.measures`.
"""

from __future__ import annotations

from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Cell, Figure, Heading, Paragraph, Section, Table, heads
from analysis.latents import words
from analysis.latents.figures import plane_figure, spectrum_figure
from analysis.latents.structure import STRENGTH, Structure, compute_structures
from analysis.records import SIX, Findings


def section(findings: Findings) -> Section:
    """The section `structure`."""
    structures = compute_structures(findings)
    records = findings.records
    some = next(iter(structures.values()))[1]
    sources = "; ".join(f"{title_of(r)}: {source_of(r)}" for r in records.values())
    blocks: list[Block] = [
        Paragraph(words.introduction(some.count, findings.seed, STRENGTH)),
        *absent(findings, SIX),
        Table(
            name="structure",
            title="Structure of the latent space",
            caption=f"On {some.count:,} images a data set. Before: fresh weights, seed "
            f"{findings.seed}. Views over pairs: the distance of two views of an image over that "
            f"of two different images. {sources}.",
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
            "their sum: thick lines after training, thin ones before (the same architecture with "
            "fresh weights). A flat line uses all directions alike. The legend gives effective "
            "ranks, before to after.",
            draw=lambda: spectrum_figure(structures, records),
        ),
        Figure(
            name="alignment_uniformity",
            title="Alignment and uniformity, before and after training",
            caption="Alignment against uniformity, from before training (hollow) to after it "
            "(filled): further left, two views of an image lie nearer to each other; further down, "
            "images cover the sphere more evenly. Below and left is what a contrastive loss asks "
            "for.",
            draw=lambda: plane_figure(structures, records),
        ),
        Heading("Before and after contrastive training"),
        *words.contrastive(structures, findings),
        Heading("What the spaces have in common"),
        *words.general(structures, records),
    ]
    return Section(id="structure", title="Structure of the latent space", blocks=tuple(blocks))


def _row(name: str, when: str, structure: Structure) -> tuple[Cell, ...]:
    rank, dimensions = f"{structure.rank:.1f}", len(structure.spectrum)
    measures = structure.alignment, structure.closeness, structure.uniformity
    return name, when, *measures, rank, dimensions, structure.correlation

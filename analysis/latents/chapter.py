"""Structure of the latent space: alignment, uniformity, spectrum, correlation; before and after.

Each pipeline is compared with its own encoder before training (fresh weights of the same
architecture), and with the others of its data set. The measures themselves: `trainers.measures`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from analysis import style
from analysis.captions import absent, source_of, title_of
from analysis.document import Block, Cell, Figure, Heading, Paragraph, Section, Table, heads
from analysis.latents import words
from analysis.latents.structure import STRENGTH, Structure, compute_structures
from analysis.records import SIX, Findings, PipelineRecord
from trainers.data import DATASETS

LINES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1, 1.5)))
FLOOR = 1e-6  # shares below are not drawn: rounding, not structure


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


# Drawing ----------------------------------------------------------------------------------------


def look_of(pipeline: str) -> tuple[str, str, object]:
    """(colour, marker, line) of a pipeline's method: three ways to tell methods apart."""
    place = style.place_of(pipeline)
    return style.COLOURS[place], style.MARKERS[place], LINES[place % len(LINES)]


def draw_spectrum(axis: Axes, name: str, before: Structure, after: Structure) -> None:
    """Shares of the variance by direction, largest first, on a logarithmic axis."""
    colour, marker, line = look_of(name)
    for structure, width, strength in ((before, 0.9, 0.45), (after, 1.9, 1.0)):
        shares = structure.spectrum / max(structure.spectrum.sum(), 1e-300)
        shares = np.where(shares > FLOOR, shares, np.nan)
        axis.plot(
            np.arange(1, len(shares) + 1),
            shares,
            ls=line,  # type: ignore[arg-type]
            color=colour,
            lw=width,
            alpha=strength,
            marker=marker if structure is after else None,
            markevery=max(1, len(shares) // 8),
            ms=4.5,
        )
    axis.set_yscale("log")
    axis.set(xlabel="direction, by its variance", ylabel="share of the variance")


def spectrum_figure(
    structures: Mapping[str, tuple[Structure, Structure]], records: Mapping[str, PipelineRecord]
) -> Canvas:
    """A panel a data set, all its methods in it."""
    figure, panels = _panels(records, height=3.6)
    for axis, names in panels:
        keys = []
        for name in names:
            before, after = structures[name]
            draw_spectrum(axis, name, before, after)
            colour, marker, line = look_of(name)
            label = f"{records[name].called}: {before.rank:.0f} to {after.rank:.0f}"
            keys.append(Line2D([], [], ls=line, color=colour, marker=marker, ms=4.5, label=label))  # type: ignore[arg-type]
        axis.legend(handles=keys, fontsize=8, title="effective rank", title_fontsize=8)
    return figure


def draw_plane(axis: Axes, name: str, before: Structure, after: Structure) -> None:
    """An arrow from the untrained to the trained encoder."""
    colour, marker, _ = look_of(name)
    start, end = (before.alignment, before.uniformity), (after.alignment, after.uniformity)
    arrow = {"arrowstyle": "->", "color": colour, "lw": 1.3, "shrinkA": 4, "shrinkB": 5}
    axis.annotate("", end, start, arrowprops=arrow)
    axis.plot(*start, marker, color=colour, mfc="white", ms=7)
    axis.plot(*end, marker, color=colour, ms=8)
    axis.set_xlabel("alignment (squared distance, lower is nearer)")
    axis.set_ylabel("uniformity (log potential, lower is more even)")


def plane_figure(
    structures: Mapping[str, tuple[Structure, Structure]], records: Mapping[str, PipelineRecord]
) -> Canvas:
    """A panel a data set, all its methods in it."""
    figure, panels = _panels(records, height=3.8)
    keys: list[Line2D] = []
    for axis, names in panels:
        for name in names:
            draw_plane(axis, name, *structures[name])
            colour, marker, _ = look_of(name)
            word = records[name].called
            keys.append(Line2D([], [], ls="none", marker=marker, color=colour, label=word))
        axis.margins(0.12)
    for word, filled in (("before training", "white"), ("after training", "0.4")):
        keys.append(Line2D([], [], ls="none", marker="o", color="0.4", mfc=filled, label=word))
    style.legend_below(figure, *keys, columns=4)
    return figure


def _panels(
    records: Mapping[str, PipelineRecord], *, height: float
) -> tuple[Canvas, list[tuple[Axes, list[str]]]]:
    """A titled axis for each data set that occurs, with the names of its pipelines."""
    names = {d: [n for n, r in records.items() if r.dataset == d] for d in DATASETS}
    names = {dataset: some for dataset, some in names.items() if some}
    figure, axes = style.axes(1, len(names), height=height)
    for axis, dataset in zip(axes, names, strict=True):
        axis.set_title(DATASETS[dataset].title)
    return figure, list(zip(axes, names.values(), strict=True))

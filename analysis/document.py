"""The parts of a report, before anybody decides how it looks: sections of text, figures, tables.

A section's function takes what load.py found in MLflow (`records.Findings`) and returns a
`Section`; the modules of `writers/` write it. Text is plain; its only marks are
`**bold**`, `*italic*`, `` `code` `` and `[words](address)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure as Canvas

Cell = str | int | float | None


@dataclass(frozen=True)
class Paragraph:
    """One paragraph."""

    text: str


@dataclass(frozen=True)
class Heading:
    """A heading below the section's own."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture.

    Attributes:
        name: of its files, unique in the report: letters, digits and `_`.
        title: above it.
        caption: a short explanation of what is in it; its claims are computed.
        draw: makes it, when somebody wants it.
        alt: the words for a reader who cannot see it; by default the caption's.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[], Canvas]
    alt: str = ""

    def __post_init__(self) -> None:
        if not self.alt:
            object.__setattr__(self, "alt", self.caption)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Numbers in rows; every one comes from a run.

    Attributes:
        name: of its files, unique in the report.
        columns: headings.
        rows: cells as shown; floats are written with four decimals.
        caption: what is in it, and which runs it comes from.
        bold: rows to be set off.
    """

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    bold: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{self.name}: {len(row)} cells, {len(self.columns)} columns")


def heads(text: str) -> tuple[str, ...]:
    """Headings of columns, parted by ` | `."""
    return tuple(text.split(" | "))


Block = Paragraph | Heading | Bullets | Figure | Table


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the report.

    Attributes:
        id: of its heading in the page, as in `#summary`.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """The whole report.

    Attributes:
        notices: lines before everything else: stand-in data, missing pipelines.
    """

    title: str
    subtitle: str
    notices: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All pictures in order."""
        return tuple(b for s in self.sections for b in s.blocks if isinstance(b, Figure))

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables in order."""
        return tuple(b for s in self.sections for b in s.blocks if isinstance(b, Table))


def shown(cell: Cell) -> str:
    """A cell as text."""
    if cell is None:
        return ""
    return f"{cell:.4f}" if isinstance(cell, float) else str(cell)

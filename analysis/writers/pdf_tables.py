"""Tables of the PDF: as wide as the page at most, with the heading on every page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reportlab.lib.colors import HexColor
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import Flowable, Paragraph as Text, Table as Grid, TableStyle

from analysis.document import Cell, Table, shown
from analysis.writers.files import is_numeric
from analysis.writers.inline_markup import plain
from analysis.writers.pdf_type import INK, SANS, SOFT, counted, markup, style

LINE, SHADE = HexColor("#c9d0d8"), HexColor("#f1f3f6")
PADDING = 3  # points on either side of a cell's text
LARGE, SMALL = 8.0, 6.3  # points: tables shrink from one to the other, then their cells wrap
LOOK = TableStyle(
    [
        ("BACKGROUND", (0, 0), (-1, 0), SHADE),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE),
        ("LINEABOVE", (0, 0), (-1, 0), 0.8, INK),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), PADDING),
        ("RIGHTPADDING", (0, 0), (-1, -1), PADDING),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
    ]
)


def table_flow(table: Table, number: int, *, width: float) -> Iterator[Flowable]:
    """Title, grid and caption.

    Args:
        table: what is shown.
        number: in the document, from 1.
        width: of the page between its margins, in points.
    """
    name = style("name", 9.5, before=8, after=3, bold=True)
    yield Text(counted("Table", number, table.title), name.clone("table", keepWithNext=True))
    numeric = [is_numeric(table, column) for column in range(len(table.columns))]
    lines: list[tuple[Cell, ...]] = [table.columns, *table.rows]
    bold = [True, *(index in table.bold for index in range(len(table.rows)))]
    size, widths = fit(lines, width)
    cells = [
        [
            Text(markup(_solid(shown(cell))), style("cell", size, bold=strong, right=right))
            for cell, right in zip(line, numeric, strict=True)
        ]
        for line, strong in zip(lines, bold, strict=True)
    ]
    yield Grid(cells, colWidths=widths, style=LOOK, repeatRows=1, hAlign="LEFT")
    yield Text(markup(table.caption), style("caption", 8, before=3, after=10, colour=SOFT))


def fit(lines: Sequence[Sequence[Cell]], width: float) -> tuple[float, list[float]]:
    """The font size, in points, with which a table fits the page, and its columns' widths.

    Where the smallest is still too wide, the widest columns are narrowed and their cells wrap
    between words; where that is not enough, within their longest words.
    """
    texts = [[_solid(plain(shown(cell))) for cell in line] for line in lines]
    columns = list(zip(*texts, strict=True))
    whole = [_widest(column) for column in columns]
    gap = 2 * PADDING + 0.5
    size = min(LARGE, max(SMALL, (width - gap * len(whole)) / sum(whole)))
    wanted = [size * one + gap for one in whole]
    words = [_widest([word for text in column for word in text.split(" ")]) for column in columns]
    least = _narrowed([size * one + gap for one in words], [gap] * len(words), width)
    return size, _narrowed(wanted, least, width)


def _narrowed(wanted: list[float], least: list[float], width: float) -> list[float]:
    """The widest columns cut down to a common limit, none below its least, to sum to `width`."""
    if sum(wanted) <= width:
        return wanted
    low, high = 0.0, max(wanted)
    for _ in range(40):
        limit = (low + high) / 2
        fits = sum(map(max, least, [min(one, limit) for one in wanted])) <= width
        low, high = (limit, high) if fits else (low, limit)
    return list(map(max, least, [min(one, low) for one in wanted]))


def _solid(text: str) -> str:
    """A mean and its interval stay on one line."""
    return text.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def _widest(texts: Sequence[str]) -> float:
    """The widths of some texts, in units of the font size, as if all were bold."""
    return max(stringWidth(text, f"{SANS}-Bold", 1) for text in [*texts, "0"])

"""The report as a PDF."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from matplotlib.figure import Figure as Canvas
from reportlab.pdfbase.pdfmetrics import getFont

from analysis import style
from analysis.document import (
    Block,
    Bullets,
    Cell,
    Document,
    Figure,
    Heading,
    Paragraph,
    Section,
    Table,
)
from analysis.writers import files, pdf, pdf_tables, pdf_type

SIGNS = "±×α–²→≤≥≈µ−·…“”’•"  # noqa: RUF001


def tall() -> Canvas:
    canvas, [axis] = style.axes(width=4, height=20)
    axis.set_title("taller than a page")
    return canvas


def table(columns: int, rows: int, cell: Cell = "some words") -> Table:
    return Table(
        name=f"t{columns}_{rows}",
        title="A table",
        caption="of numbers",
        columns=tuple(f"column {i}" for i in range(columns)),
        rows=((cell,) * columns,) * rows,
        bold=(0,),
    )


def document(*blocks: Block) -> Document:
    sections = (
        Section(id="first", title="First & foremost", blocks=blocks),
        Section(id="second", title="Second", blocks=(Paragraph("see [first](#first)"),)),
    )
    return Document(title="T", subtitle="S", notices=("a `notice`",), sections=sections)


def write(path: Path, *blocks: Block) -> bytes:
    made = document(*blocks)
    return pdf.write(made, files.render(made), path / "report.pdf").read_bytes()


def pages(content: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", content))


def test_everything_that_a_document_may_hold(out: Path) -> None:
    content = write(
        out,
        Paragraph(f"**bold *and italic***, `code <b>`, [a link](https://a.b/?c&d), {SIGNS}, a < b"),
        Heading("A *heading*"),
        Bullets(("one", "**two**")),
        Figure(name="tall", title="Tall", caption="below", draw=tall),
        table(3, 4),
        table(3, 200),
    )
    assert content.startswith(b"%PDF")
    assert pages(content) >= 4
    assert b"/FontFile2" in content, "fonts are embedded"
    assert len(re.findall(rb"/Subtype /Image\b", content)) == 1, "no second one for transparency"
    assert [path.name for path in out.iterdir()] == ["report.pdf"]


def test_the_same_document_is_the_same_file(out: Path) -> None:
    assert write(out, table(2, 2)) == write(out, table(2, 2))


def test_the_fonts_have_the_signs_that_texts_use() -> None:
    pdf_type.fonts()
    for name in (pdf_type.SANS, f"{pdf_type.SANS}-Bold", pdf_type.MONO):
        known = getFont(name).face.charToGlyph
        assert [sign for sign in SIGNS if ord(sign) not in known] == [], name


@pytest.mark.parametrize("columns", [1, 3, 8, 12])
@pytest.mark.parametrize("cell", [0.5, "some words that go on for a while", "x" * 60, None])
def test_tables_fit_the_page(columns: int, cell: Cell) -> None:
    pdf_type.fonts()
    made = table(columns, 2, cell)
    size, widths = pdf_tables.fit([made.columns, *made.rows], pdf.WIDTH)
    assert len(widths) == columns
    assert sum(widths) <= pdf.WIDTH + 0.1
    assert pdf_tables.SMALL <= size <= pdf_tables.LARGE
    assert min(widths) > 2 * pdf_tables.PADDING


def test_a_table_shrinks_before_its_cells_wrap() -> None:
    pdf_type.fonts()
    sizes = [
        pdf_tables.fit([["a word or two"] * columns], pdf.WIDTH)[0] for columns in (2, 6, 7, 20)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == pdf_tables.LARGE
    assert sizes[-1] == pdf_tables.SMALL


def test_an_empty_table_is_written(out: Path) -> None:
    assert pages(write(out, table(3, 0))) == 1

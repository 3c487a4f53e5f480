"""The report as a PDF."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import numpy as np
import pytest
import typst
from matplotlib.figure import Figure as Canvas
from matplotlib.ft2font import FT2Font
from PIL import Image

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
from analysis.writers import files, pdf

SIGNS = "±×α–²→≤≥≈µ−·…“”’•"  # noqa: RUF001


MEASURED = "99.90\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}98.40 /\N{NO-BREAK SPACE}98.21 ± 0.30"


def tall() -> Canvas:
    canvas, [axis] = style.axes(width=4, height=20)
    axis.set_title("taller than a page")
    axis.text(0.5, 0.5, "words")
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


def pages(*blocks: Block) -> list[np.ndarray]:
    """(height, width, 3) pixels of each page."""
    made = document(*blocks)
    source = pdf.source(made, files.render(made))
    pictures = typst.compile(
        source, font_paths=[pdf.FONTS], ignore_system_fonts=True, format="png", ppi=72
    )
    every = pictures if isinstance(pictures, list) else [pictures]
    return [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in every]


EVERYTHING = (
    Paragraph(f"**bold *and italic***, `code <b>`, [a link](https://a.b/?c&d), {SIGNS}, a < b"),
    Paragraph(r"#panic() \ $x$ @y <z> [w] _v_ *u*" + "\N{LINE SEPARATOR}\x07"),
    Heading("A *heading*"),
    Bullets(("one", "**two**")),
    table(3, 4),
    table(3, 200),
)


def test_everything_that_a_document_may_hold(out: Path) -> None:
    content = write(out, *EVERYTHING)
    assert content.startswith(b"%PDF")
    assert content.count(b"/URI(https://a.b/?c&d)") == 1
    assert content.count(b"/URI(") == 1, "what leads not to the web is words only"
    assert [path.name for path in out.iterdir()] == ["report.pdf"]
    assert write(out, *EVERYTHING) == content, "the same document is the same file"


def test_a_picture_is_drawn_by_lines_and_leaves_room_for_its_caption(out: Path) -> None:
    figure = Figure(name="tall", title="Tall", caption="below", draw=tall)
    assert b"/Subtype/Image" not in write(out, figure)
    _, page, *_ = pages(figure)
    foot = int(page.shape[0] - 56.7)  # 2 cm: the margin, in which the page's number stands
    assert (page[300:600] < 128).any(), "the picture's axis"
    assert (page[foot - 4 : foot + 8] > 250).all(), "neither picture nor caption reaches below"


def test_a_tables_head_is_on_each_of_its_pages() -> None:
    shade = (0xF1, 0xF3, 0xF6)
    heads = [(page == shade).all(axis=2).any(axis=1).sum() for page in pages(table(3, 200))]
    assert len(heads) > 3
    assert all(rows > 5 for rows in heads[:-1])


def test_the_fonts_have_the_signs_that_texts_use() -> None:
    for name in ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono"):
        known = FT2Font(pdf.FONTS / f"{name}.ttf").get_charmap()
        assert [sign for sign in SIGNS if ord(sign) not in known] == [], name


CELLS = 0.5, "some words that go on for a while", "x" * 60, None


@pytest.mark.parametrize(
    ("columns", "cell"), [*itertools.product((1, 3, 8, 12), CELLS), (8, MEASURED)]
)
def test_tables_fit_the_page(columns: int, cell: Cell) -> None:
    [page, *_] = pages(table(columns, 2, cell))
    margin = 56  # points, 2 cm
    assert (page[:, :margin] == 255).all() and (page[:, -margin:] == 255).all()


def test_an_empty_table_is_written() -> None:
    assert len(pages(table(3, 0))) == 1

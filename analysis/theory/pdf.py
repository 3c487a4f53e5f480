"""Writes the theory as a PDF, in the report's look."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from markdown_it.tree import SyntaxTreeNode as Node
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.platypus import (
    Flowable,
    ListFlowable,
    ListItem,
    Paragraph as Text,
    Preformatted,
    Spacer,
    Table as Grid,
    TableStyle,
)

from analysis import fingerprint
from analysis.cache import Cache
from analysis.theory.glyphs import typeset
from analysis.theory.pdf_lines import Display, FormulaCanvas, line
from analysis.theory.reading import SUBTITLE, Theory
from analysis.writers.inline_markup import escape, plain
from analysis.writers.pdf import WIDTH, Template, contents_of, heading
from analysis.writers.pdf_tables import LOOK, SHADE, fit
from analysis.writers.pdf_type import MONO, SANS, SOFT, fonts, style
from search.errors import FAILED, UserError
from search.files import durable

LEVELS = 2  # of headings in the contents
BODY, LARGER, CODE = 9.5, 10.5, 8.0  # points: of text, of formulas on their own, of code
LISTS: Mapping[str, Mapping[str, Any]] = {
    "bullet_list": {"bulletType": "bullet", "start": "•"},
    "ordered_list": {"bulletType": "1", "bulletFormat": "%s.", "bulletFontSize": BODY},
}
PAD = 6.0  # points beside code, as reportlab pads a table


def write(theory: Theory, path: Path, *, cache: Cache | None = None) -> Path:
    """Write the PDF, or the same again as it was kept in `cache`; returns its path."""
    if cache is None:
        return durable.write(path, _made(theory))
    key = {
        "text": hashlib.sha256(theory.source.encode()).hexdigest(),
        "code": fingerprint.code(),
        "matplotlib": matplotlib.__version__,  # lays formulas out
    }

    def compute() -> dict[str, np.ndarray]:
        return {"pdf": np.frombuffer(_made(theory), dtype=np.uint8)}

    return durable.write(path, cache.get("theory", key, compute, only=True)["pdf"].tobytes())


def _made(theory: Theory) -> bytes:
    fonts()
    file = io.BytesIO()
    template = Template(file, theory.title, levels=LEVELS)
    template.multiBuild(list(_story(theory)), canvasmaker=FormulaCanvas)
    return file.getvalue()


def _story(theory: Theory) -> Iterator[Flowable]:
    """Title, opening, contents, parts."""
    yield Text(escape(theory.title), style("title", 19, after=4, bold=True))
    yield Text(SUBTITLE, style("subtitle", 10.5, after=12, colour=SOFT))
    yield from _flow(Node(theory.opening))
    yield Spacer(0, 14)
    yield contents_of(levels=LEVELS)
    for part in theory.parts:
        yield heading(part.heading.content, part.id, level=0)
        yield from _flow(Node(part.tokens))


def _flow(parent: Node) -> Iterator[Flowable]:
    blocks = parent.children
    for block, following in zip_longest(blocks, blocks[1:]):
        if block.type == "paragraph":
            look = style("body", BODY, after=6)
            if following and following.type == "math_block":  # which it ends with
                look = look.clone("before a formula", keepWithNext=True)
            yield line(block.children[0], look)
        elif block.type == "math_block":
            yield Display(typeset(block.content, LARGER, display=True))
        elif block.type == "heading":
            yield heading(block.children[0].content, str(block.attrs["id"]), level=1)
        elif block.type in LISTS:
            items = [ListItem(list(_flow(item)), leftIndent=14) for item in block.children]
            yield ListFlowable(items, bulletFontName=SANS, **LISTS[block.type])
        elif block.type == "table":
            yield from _table(block)
        elif block.type in ("fence", "code_block"):
            yield _code(block.content.rstrip("\n"))
        else:
            raise UserError(f"the theory's PDF has no {block.type}", status=FAILED)


def _table(table: Node) -> Iterator[Flowable]:
    """As wide as its words need, with the heading on every page."""
    rows = [
        [cell.children[0] for cell in row.children]
        for part in table.children
        for row in part.children
    ]
    texts = [[plain(cell.content) for cell in row] for row in rows]
    size, widths = fit(texts, WIDTH)
    cells = [
        [line(cell, style("cell", size, bold=not number)) for cell in row]
        for number, row in enumerate(rows)
    ]
    yield Grid(cells, colWidths=widths, style=LOOK, repeatRows=1, hAlign="LEFT")
    yield Spacer(0, 10)


def _code(text: str) -> Grid:
    """Code as it is, smaller where its lines are longer than the page is wide."""
    widest = max(stringWidth(one, MONO, 1) for one in text.splitlines() or [""])
    size = min(CODE, (WIDTH - 2 * PAD) / max(widest, 1))
    look = style("code", size).clone("code", fontName=MONO)
    shade = TableStyle([("BACKGROUND", (0, 0), (-1, -1), SHADE)])
    room = {"spaceBefore": 4, "spaceAfter": 10}
    return Grid([[Preformatted(text, look)]], colWidths=[WIDTH], style=shade, **room)

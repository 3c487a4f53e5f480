"""Writes a document as one HTML file that needs nothing beside it.

Pictures, style and script are inside.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.document import Cell, Document, Table, shown
from analysis.style import SETTINGS
from analysis.writers import inline_markup
from analysis.writers.files import Picture, Pictures, is_numeric, number
from search.files import durable

FOLDER = Path(__file__).parent
SMALL = 150_000  # bytes of an SVG up to which it is taken: sharp at any size, yet quick to draw
SCALE = 110 / float(SETTINGS["savefig.dpi"])  # an inch of a figure is 110 pixels of the page
LONG = 40  # characters of a cell from which its column is kept wide enough to read


def write(document: Document, pictures: Pictures, path: Path) -> Path:
    """Write the page; returns its path."""
    drawn = {name: _picture(picture) for name, picture in pictures.items()}
    template = _environment().get_template("page.html.j2")
    return durable.write(path, template.render(document=document, pictures=drawn))


def _environment() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["marked"] = lambda text: Markup(inline_markup.html(text))
    templates.filters["plain"] = inline_markup.plain
    templates.filters["kind"] = lambda block: type(block).__name__
    templates.filters["cells"] = _table
    return templates


def _picture(picture: Picture) -> dict[str, Any]:
    """The picture as an address that holds it, with its size."""
    svg = picture.svg.encode()
    kind, content = ("svg+xml", svg) if len(svg) <= SMALL else ("png", picture.png)
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    width, height = (round(SCALE * dots) for dots in picture.size)
    return {"source": source, "width": width, "height": height}


def _table(table: Table) -> dict[str, Any]:
    """What the template needs of a table: which columns hold numbers, and its rows' cells."""
    numeric = [is_numeric(table, column) for column in range(len(table.columns))]
    rows = [[_cell(*pair) for pair in zip(numeric, row, strict=True)] for row in table.rows]
    return {"numeric": numeric, "rows": rows}


def _cell(numeric: bool, cell: Cell) -> dict[str, object]:
    """The text of a cell, and what it sorts by: a number, words, or nothing for a gap."""
    text = shown(cell)
    value: object = number(cell) if numeric else inline_markup.plain(text).casefold()
    style = "number" if numeric else "long" * (len(text) > LONG)
    style += " several" * (numeric and " /" in text)  # numbers, which may be broken there
    return {"text": text, "style": style, "value": "" if value is None else value}

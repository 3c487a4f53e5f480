"""Writes a document as one HTML file that needs nothing beside it.

Pictures, style and script are inside. `frame.html.j2` is what every page of ours has: its style (in
`style.css.j2`), contents, light or dark; `page.html.j2` adds what a document needs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from analysis.document import Block, Cell, Document, Figure, Table, shown
from analysis.style import SETTINGS
from analysis.writers import inline_markup
from analysis.writers.files import Picture, Rendered, is_numeric, number
from search.files import durable

FOLDER = Path(__file__).parent
SMALL = 150_000  # bytes of an SVG up to which it is taken: sharp at any size, yet quick to draw
SCALE = 110 / float(SETTINGS["savefig.dpi"])  # an inch of a figure is 110 pixels of the page
LONG = 40  # characters of a cell from which its column is kept wide enough to read


def write(document: Document, rendered: Rendered, path: Path) -> Path:
    """Write the page; returns its path."""
    template = environment().get_template("page.html.j2")
    numbers = _Numbers()
    sections = [
        {
            "id": section.id,
            "title": section.title,
            "blocks": [_block(block, rendered, numbers) for block in section.blocks],
        }
        for section in document.sections
    ]
    html = template.render(document=document, sections=sections)
    return durable.write(path, html.encode())


def environment(*folders: Path) -> Environment:
    """A reader of templates: of `folders`, and of this one, which has the frame of every page."""
    templates = Environment(
        loader=FileSystemLoader([*folders, FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["marked"] = lambda text: Markup(inline_markup.html(text))
    templates.filters["plain"] = inline_markup.plain
    return templates


@dataclass
class _Numbers:
    """How many figures and tables there were so far."""

    figures: int = 0
    tables: int = 0


def _block(block: Block, rendered: Rendered, numbers: _Numbers) -> dict[str, Any]:
    """The values that the template needs of a block, under the block's kind."""
    kind = type(block).__name__.lower()
    if isinstance(block, Figure):
        numbers.figures += 1
        return {"kind": kind, "number": numbers.figures, **_figure(block, rendered[block.name])}
    if isinstance(block, Table):
        numbers.tables += 1
        return {"kind": kind, "number": numbers.tables, **_table(block)}
    return {"kind": kind, "content": block}


def _figure(figure: Figure, picture: Picture) -> dict[str, Any]:
    width, height = picture.size
    return {
        "figure": figure,
        "source": _source(picture),
        "width": round(width * SCALE),
        "height": round(height * SCALE),
        "alt": inline_markup.plain(figure.alt),
    }


def _source(picture: Picture) -> str:
    """The picture as an address that holds it."""
    svg = picture.svg.encode()
    kind, content = ("svg+xml", svg) if len(svg) <= SMALL else ("png", picture.png)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _table(table: Table) -> dict[str, Any]:
    numeric = [is_numeric(table, column) for column in range(len(table.columns))]
    cell = partial(_cell, numeric)
    return {
        "table": table,
        "columns": list(zip(table.columns, numeric, strict=True)),
        "rows": [
            {"bold": index in table.bold, "cells": list(map(cell, range(len(row)), row))}
            for index, row in enumerate(table.rows)
        ],
    }


def _cell(numeric: Sequence[bool], column: int, cell: Cell) -> Mapping[str, object]:
    """The text of a cell, and what it sorts by: a number, words, or nothing for a gap."""
    text = shown(cell)
    value: object = number(cell) if numeric[column] else inline_markup.plain(text).casefold()
    style = "number" if numeric[column] else "long" * (len(text) > LONG)
    style += " several" * (numeric[column] and " /" in text)  # numbers, which may be broken there
    return {"text": text, "style": style, "value": "" if value is None else value}

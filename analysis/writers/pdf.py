"""Writes a document as a PDF by Typst: contents, numbered sections, figures as vectors, tables."""

from __future__ import annotations

import json
import re
from itertools import count
from pathlib import Path
from typing import Any

import matplotlib
import typst

from analysis.document import Block, Bullets, Document, Figure, Heading, Paragraph, Table, shown
from analysis.style import SETTINGS
from analysis.writers.files import Pictures, is_numeric
from analysis.writers.inline_markup import Kind, convert, is_web, plain
from search.files import durable

# DejaVu comes with matplotlib and has every sign that the texts use.
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
DOT = 72 / float(SETTINGS["savefig.dpi"])  # points: a picture is never larger than it was drawn
WIDTH, TALLEST = 481, 620  # points: between the margins, and what leaves room for a caption
# A part of a word after which it may be broken in a table.
LONG = re.compile(r"(?<=\w)[-_](?=\w)|[^\W_]{8}(?=[^\W_]{4})")
LOOK = """\
#let soft = rgb("#5b6570")
#let title = {title}
#set document(title: title, author: "latent-search", date: none)
#set page(paper: "a4", margin: 2cm, footer: context text(7.5pt, soft)[
  #title #h(1fr) #counter(page).display()])
#set text(font: "DejaVu Sans", size: 9.5pt, fill: rgb("#1b1f24"), lang: "en", region: "GB")
#set par(leading: 0.6em, spacing: 0.9em)
#set list(marker: [•], indent: 4pt)
#show raw: set text(font: "DejaVu Sans Mono", size: 1.1em)
#show link: set text(rgb("#0b62a3"))
#show outline: set text(10pt)
#show heading.where(level: 1): set text(14pt)
#show heading.where(level: 2): set text(11pt)
#show heading: set block(above: 1.6em, below: 0.8em, sticky: true)
#set table(inset: (x: 3pt, y: 2.5pt), stroke: (_, row) => (
  top: if row == 0 {{ 0.8pt }}, bottom: 0.4pt + rgb("#c9d0d8")),
  fill: (_, row) => if row == 0 {{ rgb("#f1f3f6") }})
#show table.cell.where(y: 0): strong
#let named(what, title, body, caption) = block(above: 1.5em, below: 1.5em)[
  #block(below: 0.7em, sticky: true, text(fill: soft, what) + [ ] + strong(title))
  #body
  #block(above: 0.7em, text(8pt, soft, caption))]
#let picture = (what, title, image, caption) => block(
  breakable: false, named(what, title, image, caption))
// A table shrinks until it fits the page; then its cells wrap.
#let fitted(body) = layout(page => {{
  let fits(size) = measure(text(size, body)).width <= page.width
  let size = (8pt, 7.6pt, 7.2pt, 6.8pt).find(fits)
  text(if size == none {{ 6.3pt }} else {{ size }}, body)
}})
#text(19pt, strong(title))
#v(-6pt)
#text(10.5pt, soft)[{subtitle}]
"""


def write(document: Document, pictures: Pictures, path: Path) -> Path:
    """Write the PDF; returns its path."""
    return durable.write(path, content(document, pictures))


def content(document: Document, pictures: Pictures) -> bytes:
    """Make the PDF: the same bytes for the same document."""
    files: Any = source(document, pictures)  # a dictionary, of which its type hints do not know
    return typst.compile(files, font_paths=[FONTS], ignore_system_fonts=True, format="pdf")


def source(document: Document, pictures: Pictures) -> dict[str, bytes]:
    """`main.typ` and the pictures that it shows."""
    numbers = {Figure: count(1), Table: count(1)}

    def block(content: Block) -> str:
        if isinstance(content, Paragraph):
            return _said(content.text)
        if isinstance(content, Heading):
            return f"#heading(level: 2)[{_said(content.text)}]"
        if isinstance(content, Bullets):
            return "\n".join(f"- {_said(item)}" for item in content.items)
        what = f"[{type(content).__name__} {next(numbers[type(content)])}.]"
        words = what, f"[{_said(content.title)}]"
        caption = f"[{_said(content.caption)}]"
        if isinstance(content, Table):
            return f"#named({', '.join(words)}, {_table(content)}, {caption})"
        width, height = pictures[content.name].size
        points = width * min(DOT, WIDTH / width, TALLEST / height)
        alt = _quoted(plain(content.alt))
        image = f'image("{content.name}.svg", width: {points:.1f}pt, alt: {alt})'
        return f"#picture({', '.join(words)}, {image}, {caption})"

    text = [LOOK.format(title=_quoted(plain(document.title)), subtitle=_said(document.subtitle))]
    if document.notices:
        notices = "".join(f"#par[{_said(notice)}]" for notice in document.notices)
        text.append(f'#block(fill: rgb("#fff3d6"), inset: 6pt, width: 100%)[{notices}]')
    text.append("#outline(depth: 1, title: none)")
    for section in document.sections:
        text.append(f'#heading(numbering: "1")[{_said(section.title)}]')
        text += map(block, section.blocks)
    files = {f"{name}.svg": picture.svg.encode() for name, picture in pictures.items()}
    return {**files, "main.typ": "\n\n".join(text).encode()}


def _quoted(text: str) -> str:
    """A string of Typst's."""
    return json.dumps(re.sub(r"[\x00-\x1f]", " ", text), ensure_ascii=False)


def _said(text: str, *, cell: bool = False) -> str:
    """Marked text in Typst's markup; links that lead not to the web are words only."""

    def say(kind: Kind, words: str, address: str) -> str:
        if kind in ("bold", "italic"):
            return f"#{'strong' if kind == 'bold' else 'emph'}[{words}]"
        if cell:  # only a mean and its interval stay on one line; a long name may be broken
            words = words.replace("\xa0", " ").replace(" ± ", "\xa0±\xa0")
            words = LONG.sub("\\g<0>\u200b", words)
        if kind == "code":
            return f"#raw({_quoted(words)})"
        web = is_web(address)
        return f"#link({_quoted(address)}, {_quoted(words)})" if web else f"#{_quoted(words)}"

    return convert(text, say)


def _table(table: Table) -> str:
    aligned = (
        "right" if is_numeric(table, column) else "left" for column in range(len(table.columns))
    )

    def cells(row: tuple[object, ...], bold: bool = False) -> str:
        texts = (_said(shown(cell), cell=True) for cell in row)  # type: ignore[arg-type]
        return ", ".join(f"strong[{text}]" if bold else f"[{text}]" for text in texts)

    lines = [f"table.header({cells(table.columns)})"]
    lines += [cells(row, index in table.bold) for index, row in enumerate(table.rows)]
    return (
        f"fitted(table(columns: {len(table.columns)}, align: ({', '.join(aligned)},), "
        f"{', '.join(lines)}))"
    )

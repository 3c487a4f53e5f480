"""Writes a document as Markdown that GitHub shows: an index, a page a section, PNGs beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import count

from analysis.document import Block, Bullets, Document, Figure, Heading, Paragraph, Table, shown
from analysis.writers.files import Pictures, is_numeric
from analysis.writers.inline_markup import Kind, convert, is_web, plain

MADE = "<!-- Made by analysis/publish.py; a change here is lost. -->"
PDF = "[All of it as a PDF](report.pdf)"  # which somebody else puts beside the pages
# What would be HTML or a mark; `p < 0.05` and `a_b` are neither.
MARKS = re.compile(r"<(?=[A-Za-z/!?])|&(?=[#\w])|[|`*\[\]\\~$]|(?<!\w)_|_(?!\w)")
BEGINS = re.compile(r"^(\d{0,9})([#>+=.)-])")  # of another kind of block


def files(
    document: Document,
    pictures: Pictures,
    *,
    data: Mapping[str, str] | None = None,
) -> dict[str, bytes]:
    """Make all files by their path: pictures, then the pages that show them, README.md last.

    Args:
        document: with the sections, a page each.
        pictures: of its figures.
        data: name of a table -> a file with the same numbers, which its caption links to.
    """
    names = {f"#{section.id}": f"{section.id}.md" for section in document.sections}
    page = _Page(links=names, data=data or {})
    titles = [page.text(section.title) for section in document.sections]
    listed = enumerate(zip(titles, names.values(), strict=True), start=1)
    numbered = [f"[{number}. {title}]({name})" for number, (title, name) in listed]
    notices = [f"> {page.text(notice, begins=True)}" for notice in document.notices]
    first = notices[:1]
    if notices[1:]:
        first = [f"{notices[0]} ([and {len(notices) - 1} more](README.md))"]
    pages = {}
    for at, section in enumerate(document.sections):
        before, after = numbered[max(at - 1, 0) : at], numbered[at + 1 : at + 2]
        around = [*before, "[Contents](README.md)", *after]
        blocks = [f"# {at + 1}. {titles[at]}", *map(page.block, section.blocks)]
        pages[f"{section.id}.md"] = [MADE, *first, *blocks, "---", " · ".join(around)]
    contents = "\n".join(f"- {link}" for link in [*numbered, PDF])
    title, subtitle = (page.text(text) for text in (document.title, document.subtitle))
    above = [MADE, *(["\n>\n".join(notices)] if notices else [])]
    pages["README.md"] = [*above, f"# {title}", subtitle, contents]
    return {
        **{f"figures/{name}.png": picture.small for name, picture in pictures.items()},
        **{name: ("\n\n".join(blocks) + "\n").encode() for name, blocks in pages.items()},
    }


class _Page:
    """Writes blocks; counts figures and tables through all pages, as the PDF does."""

    def __init__(self, *, links: Mapping[str, str], data: Mapping[str, str]) -> None:
        self.links, self.data = links, data
        self.numbers = {Figure: count(1), Table: count(1)}

    def block(self, block: Block) -> str:
        if isinstance(block, Paragraph):
            return self.text(block.text, begins=True)
        if isinstance(block, Heading):
            return f"## {self.text(block.text)}"
        if isinstance(block, Bullets):
            return "\n".join(f"- {self.text(item, begins=True)}" for item in block.items)
        number = next(self.numbers[type(block)])
        title = f"**{type(block).__name__} {number}.** {self.text(block.title)}"
        caption = self.text(block.caption, begins=True)
        if isinstance(block, Figure):
            content = f"![{escape(plain(block.alt)).strip()}](figures/{block.name}.png)"
        else:
            content = self._table(block).rstrip()
            if block.name in self.data:
                caption += f" [As JSON]({self.data[block.name]})."
        return f"{title}\n\n{content}\n\n{caption}"

    def text(
        self, text: str, *, begins: bool = False, cell: bool = False, bold: bool = False
    ) -> str:
        """Marked text on one line.

        Args:
            text: with marks.
            begins: with it a block begins.
            cell: of a table, whose code may hold no bare `|`.
            bold: all of it.
        """

        def say(kind: Kind, words: str, address: str) -> str:
            if kind in ("bold", "italic"):
                sign = "*" if kind == "italic" else "**" * (not bold)
                return f"{sign}{words}{sign}"
            if kind == "code":
                return f"`{_line(words).replace('|', chr(92) + '|' if cell else '|')}`"
            to = address if is_web(address) else self.links.get(address)
            words = escape(words)
            return f"[{words}]({to.replace('|', '%7C').replace('(', '%28')})" if to else words

        said = convert(text, say).strip()
        if begins:
            said = BEGINS.sub(lambda start: f"{start[1]}&#{ord(start[2])};", said)
        return f"**{said}**" if bold and said else said

    def _table(self, block: Table) -> str:
        numbers = [at for at in range(len(block.columns)) if is_numeric(block, at)]
        rows = [
            [self.text(shown(cell), cell=True, bold=at in block.bold) for cell in row]
            for at, row in enumerate(block.rows)
        ]
        return table([self.text(name, cell=True) for name in block.columns], rows, numbers=numbers)


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()
) -> str:
    """Write a table of cells in Markdown; `numbers` are the columns to be set flush right."""
    rule = ["---:" if place in numbers else "---" for place in range(len(columns))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (columns, rule, *rows))


def escape(value: object) -> str:
    """Turn a text into words of one line: neither HTML nor marks of Markdown."""
    return MARKS.sub(lambda sign: f"&#{ord(sign[0])};", _line(value))


def _line(value: object) -> str:
    return re.sub(r"[^\S\xa0]+", " ", str(value))  # a no-break space stays

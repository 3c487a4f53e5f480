"""Writes a document as a PDF with reportlab: contents, numbered sections, figures, tables."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image as Pixels
from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    ListFlowable,
    ListItem,
    PageTemplate,
    Paragraph as Text,
    Spacer,
    Table as Grid,
    TableStyle,
)
from reportlab.platypus.tableofcontents import TableOfContents

from analysis import fingerprint
from analysis.cache import Cache
from analysis.document import Block, Bullets, Document, Figure, Heading, Paragraph
from analysis.style import SETTINGS
from analysis.writers.files import Picture, Rendered, digest
from analysis.writers.inline_markup import escape, plain
from analysis.writers.pdf_tables import table_flow
from analysis.writers.pdf_type import SANS, SOFT, counted, fonts, markup, style
from search.files import durable

MARGIN = 2.0 * cm
WIDTH, HEIGHT = A4[0] - 2 * MARGIN, A4[1] - 2 * MARGIN - 0.6 * cm
CAPTION_ROOM = 4 * cm  # left below the tallest figure
DOT = 72 / float(SETTINGS["savefig.dpi"])  # points: a picture is never larger than it was drawn
WARN = HexColor("#fff3d6")


def write(
    document: Document, rendered: Rendered, path: Path, *, cache: Cache | None = None
) -> Path:
    """Write the PDF, or the same again as it was kept in `cache`; returns its path."""
    if cache is None:
        return durable.write(path, _made(document, rendered))
    key = {"document": digest(document, rendered), "code": fingerprint.code()}

    def compute() -> dict[str, np.ndarray]:
        return {"pdf": np.frombuffer(_made(document, rendered), dtype=np.uint8)}

    return durable.write(path, cache.get("pdf", key, compute, only=True)["pdf"].tobytes())


def _made(document: Document, rendered: Rendered) -> bytes:
    fonts()
    contents = TableOfContents(dotsMinLevel=0)
    contents.levelStyles = [style("entry", 10, after=3)]
    # Page numbers of the contents settle in several passes. Pictures, which take most of the
    # time, are left out of those and drawn in the last one only.
    for pictures in (False, True):
        file = io.BytesIO()
        story = list(_Story(rendered, pictures=pictures).of(document, contents))
        template = Template(file, plain(document.title))
        (template.build if pictures else template.multiBuild)(story)
    return file.getvalue()


class Template(BaseDocTemplate):
    """Pages with a number below; headings go into the contents and the viewer's outline.

    Args:
        file: written into.
        title: of the document, without marks.
        levels: of headings that the contents have; the outline has all.
    """

    def __init__(self, file: io.BytesIO, title: str, *, levels: int = 1) -> None:
        rl_config.useA85 = 0  # streams as bytes: a quarter smaller than as letters
        # invariant: no date in the file, so that the same report is the same bytes.
        super().__init__(file, pagesize=A4, title=title, author="latent-search", invariant=1)
        frame = Frame(MARGIN, MARGIN + 0.6 * cm, WIDTH, HEIGHT, 0, 0, 0, 0)
        self.addPageTemplates(PageTemplate(frames=[frame], onPage=self._foot))
        self._title, self._levels = title, levels

    def afterFlowable(self, flowable: Flowable) -> None:
        level = getattr(flowable, "level", None)
        if level is None:
            return
        key = flowable.key
        words = flowable.getPlainText()
        self.canv.bookmarkPage(key)
        self.canv.addOutlineEntry(words, key, level, closed=True)
        if level < self._levels:
            self.notify("TOCEntry", (level, escape(words), self.page, key))

    def _foot(self, canvas: Canvas, template: BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont(SANS, 7.5)
        canvas.setFillColor(SOFT)
        canvas.drawString(MARGIN, MARGIN - 0.3 * cm, self._title)
        canvas.drawRightString(A4[0] - MARGIN, MARGIN - 0.3 * cm, str(template.page))
        canvas.restoreState()


class _Story:
    """The document as reportlab's flowables.

    Args:
        rendered: the document's pictures.
        pictures: False leaves an empty place of each picture's size.
    """

    def __init__(self, rendered: Rendered, *, pictures: bool) -> None:
        self._rendered = rendered
        self._pictures = pictures
        self._figures, self._tables = count(1), count(1)

    def of(self, document: Document, contents: TableOfContents) -> Iterator[Flowable]:
        """Title, notices, contents, sections."""
        yield Text(markup(document.title), style("title", 19, after=4, bold=True))
        yield Text(markup(document.subtitle), style("subtitle", 10.5, after=12, colour=SOFT))
        if document.notices:
            lines = [[Text(markup(notice), style("notice", 9))] for notice in document.notices]
            shade = TableStyle([("BACKGROUND", (0, 0), (-1, -1), WARN)])
            yield Grid(lines, colWidths=[WIDTH], style=shade)
        yield Spacer(0, 14)
        yield contents
        for number, section in enumerate(document.sections, start=1):
            yield heading(f"{number}\N{EN SPACE}{section.title}", section.id, level=0)
            for part, block in enumerate(section.blocks):
                yield from self._flow(block, f"{section.id}-{part}")

    def _flow(self, block: Block, key: str) -> Iterator[Flowable]:
        body = style("body", 9.5, after=6)
        if isinstance(block, Paragraph):
            yield Text(markup(block.text), body)
        elif isinstance(block, Heading):
            yield heading(block.text, key, level=1)
        elif isinstance(block, Bullets):
            items = [ListItem(Text(markup(item), body), leftIndent=14) for item in block.items]
            yield ListFlowable(items, bulletType="bullet", start="•", bulletFontName=SANS)
        elif isinstance(block, Figure):
            yield KeepTogether(self._figure(block))
        else:
            yield from table_flow(block, next(self._tables), width=WIDTH)

    def _figure(self, figure: Figure) -> list[Flowable]:
        picture = self._rendered[figure.name]
        width, height = picture.size
        scale = min(WIDTH / width, (HEIGHT - CAPTION_ROOM) / height, DOT)
        place = width * scale, height * scale
        title = counted("Figure", next(self._figures), figure.title)
        return [
            Text(title, style("name", 9.5, before=8, after=3, bold=True)),
            Image(_opaque(picture), *place, hAlign="LEFT") if self._pictures else Spacer(*place),
            Text(markup(figure.caption), style("caption", 8, before=3, after=10, colour=SOFT)),
        ]


def _opaque(picture: Picture) -> io.BytesIO:
    """The picture without its alpha channel, which a PDF stores as a second picture."""
    file = io.BytesIO()
    Pixels.open(io.BytesIO(picture.png)).convert("RGB").save(file, "ppm")
    file.seek(0)
    return file


def heading(text: str, key: str, *, level: int) -> Text:
    """A heading of marked text, in the contents and the outline under `key`."""
    size, before = ((14, 18), (11, 10))[level]
    look = style(f"heading {level}", size, before=before, after=5, bold=True)
    flow = Text(markup(text), look.clone(look.name, keepWithNext=True))
    flow.level, flow.key = level, key
    return flow

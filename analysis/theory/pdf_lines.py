"""Paragraphs of the PDF that have formulas among their words.

reportlab places pictures among words, so a formula stands in for a picture, and the canvas draws
the one for the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from markdown_it.tree import SyntaxTreeNode as Node
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph as Text

from analysis.theory.glyphs import Formula, typeset
from analysis.writers.inline_markup import escape
from analysis.writers.pdf_type import ACCENT, MONO
from search.errors import FAILED, UserError

LETTERS = 1.05  # those of formulas to those of words, which are of a larger design
TAGS = {"strong": "b", "em": "i"}


class FormulaCanvas(Canvas):
    """A canvas that draws formulas where pictures among words would be."""

    def drawImage(self, image: Any, x: float, y: float, *args: Any, **options: Any) -> Any:
        if isinstance(image, _Glued):
            return image.draw(self, x, y)
        return super().drawImage(image, x, y, *args, **options)


class Display(Flowable):
    """A formula on a line of its own, centred, and smaller where the page is too narrow."""

    def __init__(self, formula: Formula) -> None:
        super().__init__()
        self._formula = formula
        self.spaceBefore, self.spaceAfter = 3, 9

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        formula = self._formula
        self._room = width
        self._scale = min(1.0, width / formula.width)
        return width, self._scale * (formula.height + formula.depth)

    def draw(self) -> None:
        formula, canvas = self._formula, self.canv
        canvas.translate(
            (self._room - self._scale * formula.width) / 2, self._scale * formula.depth
        )
        canvas.scale(self._scale, self._scale)
        formula.draw(canvas, 0, 0)


def line(inline: Node, look: ParagraphStyle) -> Text:
    """A paragraph from what is marked within it: words, formulas, code."""
    formulas: list[Formula] = []
    markup = "".join(_markup(node, look, formulas) for node in inline.children)
    text = Text(markup, look.clone(look.name, autoLeading="max"))  # room for what is tall
    _glue(text.frags, formulas)
    return text


def _markup(node: Node, look: ParagraphStyle, formulas: list[Formula]) -> str:
    """In reportlab's markup; formulas are collected, and a mark stands where each belongs."""
    if node.type == "math_inline":
        formula = typeset(node.content, LETTERS * look.fontSize)
        formulas.append(formula)
        return '<ondraw name="formula"/>'
    if node.type in ("text", "text_special"):
        return escape(node.content)
    if node.type in ("softbreak", "hardbreak"):
        return " " if node.type == "softbreak" else "<br/>"
    if node.type == "code_inline":
        return f'<font face="{MONO}">{escape(node.content)}</font>'
    inside = "".join(_markup(child, look, formulas) for child in node.children)
    if node.type in TAGS:
        return f"<{TAGS[node.type]}>{inside}</{TAGS[node.type]}>"
    if node.type == "link":
        return f'<a href="{escape(str(node.attrs["href"]))}" color="{ACCENT}">{inside}</a>'
    raise UserError(f"the theory's PDF has no {node.type}", status=FAILED)


@dataclass
class _Glued:
    """A formula, and what may not be parted from it at the end of a line: brackets, commas."""

    formula: Formula
    before: list[tuple[str, Any]]
    after: list[tuple[str, Any]]

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        """Draw it with its lower left corner at (x, y)."""
        y += self.formula.depth
        x = _say(canvas, self.before, x, y)
        self.formula.draw(canvas, x, y)
        _say(canvas, self.after, x + self.formula.width, y)

    @property
    def width(self) -> float:
        return self.formula.width + sum(
            stringWidth(text, face.fontName, face.fontSize)
            for text, face in (*self.before, *self.after)
        )


def _say(canvas: Canvas, words: list[tuple[str, Any]], x: float, y: float) -> float:
    canvas.saveState()
    for text, face in words:
        canvas.setFillColor(face.textColor)
        canvas.setFont(face.fontName, face.fontSize)
        canvas.drawString(x, y, text)
        x += stringWidth(text, face.fontName, face.fontSize)
    canvas.restoreState()
    return x


def _glue(fragments: list[Any], formulas: list[Formula]) -> None:
    """Put the formulas in, with the words that touch them; reportlab would break lines between."""
    places = [at for at, fragment in enumerate(fragments) if hasattr(fragment, "cbDefn")]
    for at, formula in zip(places, formulas, strict=True):
        before = _cut(fragments, at - 1, r"\S+$")
        after = _cut(fragments, at + 1, r"^\S+")
        glued = _Glued(formula, before, after)
        fragments[at].cbDefn = SimpleNamespace(
            kind="img",
            image=glued,
            width=glued.width,
            height=formula.height + formula.depth,
            valign=-formula.depth,
        )


def _cut(fragments: list[Any], at: int, pattern: str) -> list[tuple[str, Any]]:
    """Words at the end of a fragment of text, taken out of it."""
    if not 0 <= at < len(fragments) or hasattr(fragments[at], "cbDefn"):
        return []
    match = re.search(pattern, fragments[at].text)
    if not match:
        return []
    fragments[at].text = re.sub(pattern, "", fragments[at].text)
    return [(match[0], fragments[at])]

"""Formulas of the PDF: laid out by matplotlib's mathtext, set as letters of embedded fonts.

As letters and not as pictures they are sharp at any size, can be searched, and take few bytes.
"""

from __future__ import annotations

import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from reportlab.pdfbase.pdfmetrics import getRegisteredFontNames, registerFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from analysis.theory.reading import BrokenFormula, one_line
from analysis.writers.pdf_type import INK

FAMILY = "dejavuserif"
DOTS = 10  # a point: mathtext rounds sizes up to whole dots, by a point if left alone
# Signs that mathtext would take from fonts with encodings of their own.
PRIMES = {"''": "\N{DOUBLE PRIME}", "'": "\N{PRIME}"}
BLACKBOARD = re.compile(r"\\mathbb\{([A-Z])\}")
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.")
SPACED = {  # a thin space before them, after a letter, a number or a bracket
    *(r"\cos", r"\exp", r"\log", r"\max", r"\min", r"\sin"),
    *(r"\int", r"\mathrm", r"\operatorname", r"\prod", r"\sum"),
}


@dataclass(frozen=True)
class Letter:
    """A letter at its place, in points from the left end of the baseline."""

    font: str
    size: float
    text: str
    x: float
    y: float


@dataclass(frozen=True)
class Formula:
    """A formula at its size; lengths in points.

    Attributes:
        height: above the baseline.
        depth: below it.
        bars: of fractions and roots: x, y, width, height.
    """

    width: float
    height: float
    depth: float
    letters: tuple[Letter, ...]
    bars: tuple[tuple[float, float, float, float], ...]

    def draw(self, canvas: Canvas, x: float, y: float) -> None:
        """Draw it with its baseline's left end at (x, y)."""
        canvas.saveState()
        canvas.setFillColor(INK)
        for left, bottom, width, height in self.bars:
            canvas.rect(x + left, y + bottom, width, height, stroke=0, fill=1)
        text = canvas.beginText()
        for letter in self.letters:
            text.setFont(letter.font, letter.size)
            text.setTextOrigin(x + letter.x, y + letter.y)
            text.textOut(letter.text)
        canvas.drawText(text)
        canvas.restoreState()


@cache
def typeset(formula: str, size: float, *, display: bool = False) -> Formula:
    """Lay out a formula.

    Args:
        formula: in LaTeX.
        size: of its letters, in points.
        display: on a line of its own: fractions are large.

    Raises:
        BrokenFormula: with the formula.
    """
    text = _for_mathtext(formula, display=display)
    face = FontProperties(size=size, math_fontfamily=FAMILY)
    try:
        layout = MathTextParser("path").parse(f"${text}$", dpi=72 * DOTS, prop=face)
    except ValueError as error:
        # The message holds the formula and a pointer into it first, the error last.
        raise BrokenFormula(formula, str(error).strip().splitlines()[-1]) from None
    letters = [
        Letter(_font(Path(str(font.fname))), points, chr(number), float(x) / DOTS, float(y) / DOTS)
        for font, points, number, *_, x, y in layout.glyphs  # `_` came with matplotlib 3.11
    ]
    bars = [(x / DOTS, y / DOTS, w / DOTS, h / DOTS) for x, y, w, h in layout.rects]
    return Formula(
        width=layout.width / DOTS,
        height=(layout.height - layout.depth) / DOTS,
        depth=layout.depth / DOTS,
        letters=tuple(letters),
        bars=tuple(bars),
    )


def _for_mathtext(formula: str, *, display: bool) -> str:
    """The formula with the changes that TeX makes and mathtext does not."""
    text = one_line(formula)
    for ours, theirs in PRIMES.items():
        text = text.replace(ours, theirs)
    text = BLACKBOARD.sub(lambda match: rf"\mathrm{{{_double_struck(match[1])}}}", text)
    for name in ("sum", "prod") if not display else ():  # limits beside them, as lines are near
        text = re.sub(rf"\\{name}(?![A-Za-z])", rf"{{\\{name}}}", text)
    if display:
        text = text.replace(r"\frac", r"\dfrac")
    spaced, before = "", ""
    for token in TOKEN.findall(text):
        if token in SPACED and (before.isalnum() or before in ("}", ")")):
            spaced += r"\,"
        spaced, before = spaced + token, token.strip() or before
    return spaced


def _double_struck(letter: str) -> str:
    """The letter's sign: Unicode had places for seven of them before the others."""
    for kind in ("DOUBLE-STRUCK", "MATHEMATICAL DOUBLE-STRUCK"):
        with suppress(KeyError):
            return unicodedata.lookup(f"{kind} CAPITAL {letter}")
    return letter


def _font(file: Path) -> str:
    """The name of a font that is embedded where its letters are used."""
    if file.stem not in getRegisteredFontNames():
        registerFont(TTFont(file.stem, file))
    return file.stem

"""The PDF's type: embedded fonts, paragraph styles, marked text in reportlab's markup."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont

from analysis.writers.inline_markup import Kind, convert, escape, is_web

SANS, MONO = "DejaVuSans", "DejaVuSansMono"
ACCENT, PALE = "#0b62a3", "#5b6570"
INK, SOFT = HexColor("#1b1f24"), HexColor(PALE)


@cache
def fonts() -> None:
    """Embed DejaVu, which comes with matplotlib and has the signs that PDF's own fonts lack."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for family, slanted in ((SANS, "Oblique"), (MONO, "Oblique")):
        for face in ("", "-Bold", f"-{slanted}", f"-Bold{slanted}"):
            registerFont(TTFont(family + face, folder / f"{family}{face}.ttf"))
        registerFontFamily(
            family,
            normal=family,
            bold=f"{family}-Bold",
            italic=f"{family}-{slanted}",
            boldItalic=f"{family}-Bold{slanted}",
        )


@cache
def style(
    name: str,
    size: float,
    *,
    before: float = 0,
    after: float = 0,
    bold: bool = False,
    right: bool = False,
    colour: Color = INK,
) -> ParagraphStyle:
    return ParagraphStyle(
        name,
        fontName=f"{SANS}-Bold" if bold else SANS,
        fontSize=size,
        leading=1.35 * size,
        spaceBefore=before,
        spaceAfter=after,
        alignment=2 if right else 0,
        textColor=colour,
    )


def counted(what: str, number: int, title: str) -> str:
    """`Figure 3.` and its title."""
    return f'<font color="{PALE}">{what} {number}.</font> {markup(title)}'


def markup(text: str) -> str:
    """Marked text in reportlab's own markup; links that lead not to the web are words only."""

    def say(kind: Kind, words: str, address: str) -> str:
        if kind in ("bold", "italic"):
            return f"<{kind[0]}>{words}</{kind[0]}>"
        if kind == "code":
            return f'<font face="{MONO}">{escape(words)}</font>'
        if is_web(address):
            return f'<a href="{escape(address)}" color="{ACCENT}">{escape(words)}</a>'
        return escape(words)

    return convert(text, say)

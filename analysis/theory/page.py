"""Writes the theory as one HTML page that needs nothing beside it, in the report's look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

from analysis.theory.mathml import mathml
from analysis.theory.reading import SUBTITLE, Theory
from analysis.writers.page import environment
from search.files import durable

FOLDER = Path(__file__).parent


def write(theory: Theory, path: Path) -> Path:
    """Write the page; returns its path."""
    parts = [
        {
            "id": part.id,
            "title": part.title,
            "heading": _html([part.heading]),
            "parts": part.parts,
            "text": _html(part.tokens),
        }
        for part in theory.parts
    ]
    html = (
        environment(FOLDER)
        .get_template("theory.html.j2")
        .render(
            document={"title": theory.title, "subtitle": SUBTITLE},
            opening=_html(theory.opening),
            sections=parts,
        )
    )
    return durable.write(path, html.encode())


class _Renderer(RendererHTML):
    """Markdown-it's own, and what it does not know: formulas, tables that scroll."""

    def math_inline(self, tokens: Sequence[Token], at: int, *_: Any) -> str:
        return mathml(tokens[at].content, display=False)

    def math_block(self, tokens: Sequence[Token], at: int, *_: Any) -> str:
        # A reader can scroll with the keyboard, too, what is wider than the window.
        formula = mathml(tokens[at].content, display=True)
        return f'<div class="formula" tabindex="0">{formula}</div>\n'

    def table_open(self, *_: Any) -> str:
        return '<div class="scroll table" tabindex="0">\n<table>\n'

    def table_close(self, *_: Any) -> str:
        return "</table>\n</div>\n"


def _html(tokens: Sequence[Token]) -> Markup:
    """Mark the HTML of Markdown-it as safe: it escapes all that could be HTML."""
    return Markup(_Renderer().render(tokens, MarkdownIt("commonmark").options, {}))

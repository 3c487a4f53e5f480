"""Writes docs/theory.md as one HTML page that needs nothing beside it, in the report's look.

Formulas stand between dollars and become MathML, which browsers draw by themselves: no script, no
font to bring along.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import tostring

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup
from mdit_py_plugins.dollarmath import dollarmath_plugin

from analysis.writers.page import environment
from search.errors import Failure
from search.files import durable

FOLDER = Path(__file__).parent
THEORY = FOLDER.parents[1] / "docs" / "theory.md"
SUBTITLE = "The questions behind the experiments, answered and derived"
TAKEN = {"", "top", "menu", "theme"}  # ids in the page's frame


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A heading: its id in addresses, its words, and those of the third level below it."""

    id: str
    title: str
    parts: list[Heading]


@dataclass(frozen=True, kw_only=True)
class Theory:
    """The whole text: as written, and as parsed without its title."""

    source: str
    title: str
    tokens: Sequence[Token]
    parts: list[Heading]


class BrokenFormula(Failure):
    """A formula that cannot be shown, and why."""

    def __init__(self, formula: str, why: object) -> None:
        reason = " ".join(str(why).split()) or type(why).__name__
        shown = " ".join(formula.split())
        super().__init__(f"no formula: {shown}\n{reason[:200]}")


def read() -> Theory | None:
    """The theory as parsed; None where the package was installed without it."""
    return parse(THEORY.read_text(encoding="utf-8")) if THEORY.exists() else None


def parse(text: str) -> Theory:
    """Parse Markdown that begins with a title, and has parts below it."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False)
    tokens = markdown.parse(text)
    if not tokens or tokens[0].tag != "h1":
        raise Failure("the theory has no title: begin it with a line `# Title`")
    parts: list[Heading] = []
    taken = set(TAKEN)
    for token, inline in pairwise(tokens[3:]):  # the title is three tokens
        if token.type == "heading_open":
            name = re.sub(r"[^a-z0-9]+", "-", words(inline).lower()).strip("-")
            while name in taken:
                name += "-again"
            taken.add(name)
            token.attrSet("id", name)
            below = parts[-1].parts if parts and token.tag != "h2" else parts
            below.append(Heading(id=name, title=words(inline), parts=[]))
    return Theory(source=text, title=words(tokens[1]), tokens=tokens[3:], parts=parts)


def words(inline: Token) -> str:
    """Without marks."""
    return "".join(" " if t.type == "softbreak" else t.content for t in inline.children or [])


def write(theory: Theory, path: Path) -> Path:
    """Write the page; returns its path."""
    # Markdown-it escapes all that could be HTML.
    text = Markup(_Renderer().render(theory.tokens, MarkdownIt("commonmark").options, {}))
    document = {"title": theory.title, "subtitle": SUBTITLE}
    template = environment(FOLDER).get_template("theory.html.j2")
    html = template.render(document=document, sections=theory.parts, text=text)
    return durable.write(path, html)


class _Renderer(RendererHTML):
    """Markdown-it's own, and what it does not know: parts, formulas, tables that scroll."""

    def heading_open(
        self, tokens: Sequence[Token], at: int, options: Any, env: MutableMapping[str, Any]
    ) -> str:
        if tokens[at].tag != "h2":
            return self.renderToken(tokens, at, options, env)
        before, env["part"] = "</section>\n" * ("part" in env), True
        return f'{before}<section id="{tokens[at].attrs["id"]}">\n<h2>'

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


def mathml(formula: str, *, display: bool) -> str:
    """LaTeX as an element `math`.

    Args:
        display: on lines of its own: limits stand above and below sums, fractions are large.

    Raises:
        BrokenFormula: with the formula.
    """
    line, mode = " ".join(formula.split()), "block" if display else "inline"
    try:
        tree = convert_to_element(line, display=mode)
    except Exception as error:  # any, as its parser trips over a formula in many ways
        raise BrokenFormula(formula, error) from None
    for element in tree.iter():
        if "\\" in (element.text or ""):
            raise BrokenFormula(formula, f"{element.text} is not known")
        element.text = unescape(element.text or "")  # it writes letters as their numbers
    return tostring(tree, encoding="unicode")

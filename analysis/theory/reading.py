"""Reads docs/theory.md: Markdown, with formulas between dollars, as markdown-it's tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from search.errors import FAILED, UserError

THEORY = Path(__file__).resolve().parents[2] / "docs" / "theory.md"
SUBTITLE = "The questions behind the experiments, answered and derived"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the text: all under a heading of the second level.

    Attributes:
        id: of the heading, in addresses.
        title: its words.
        heading: as it is marked.
        tokens: what follows; headings among them have their `id` as an attribute.
        parts: ids and words of those headings.
    """

    id: str
    title: str
    heading: Token
    tokens: tuple[Token, ...]
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Theory:
    """The whole text.

    Attributes:
        source: as it was written.
        opening: between the title and the first part.
    """

    source: str
    title: str
    opening: tuple[Token, ...]
    parts: tuple[Part, ...]


class BrokenFormula(UserError):
    """A formula that cannot be shown, and why."""

    def __init__(self, formula: str, why: object) -> None:
        reason = " ".join(str(why).split()) or type(why).__name__
        super().__init__(f"no formula: {one_line(formula)}\n{reason[:200]}", status=FAILED)


def read() -> Theory | None:
    """The theory as parsed; None where the package was installed without it."""
    return parse(THEORY.read_text(encoding="utf-8")) if THEORY.exists() else None


def parse(text: str) -> Theory:
    """Parse Markdown that has one title, and parts below it."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False)
    tokens = markdown.parse(text)
    starts = [at for at, token in enumerate(tokens) if token.type == "heading_open"]
    _name(tokens, starts)
    title = next((words(tokens[at + 1]) for at in starts if tokens[at].tag == "h1"), "")
    if not title:
        raise UserError("the theory has no title: begin it with a line `# Title`", status=FAILED)
    cuts = [at for at in starts if tokens[at].tag == "h2"]
    bounds = pairwise([*cuts, len(tokens)])
    opening = tokens[3 : cuts[0] if cuts else None]  # a heading is three tokens
    parts = tuple(_part(tokens[start:end]) for start, end in bounds)
    return Theory(source=text, title=title, opening=tuple(opening), parts=parts)


def words(inline: Token) -> str:
    """Without marks."""
    return "".join(" " if t.type == "softbreak" else t.content for t in inline.children or [])


def one_line(formula: str) -> str:
    """A formula in which lines mean no more than spaces."""
    return " ".join(formula.split())


def _part(tokens: Sequence[Token]) -> Part:
    below = [at for at, token in enumerate(tokens) if token.type == "heading_open"][1:]
    return Part(
        id=str(tokens[0].attrs["id"]),
        title=words(tokens[1]),
        heading=tokens[1],
        tokens=tuple(tokens[3:]),
        parts=tuple((str(tokens[at].attrs["id"]), words(tokens[at + 1])) for at in below),
    )


def _name(tokens: Sequence[Token], starts: Sequence[int]) -> None:
    """Give every heading an `id` of its own, made of its words."""
    taken: set[str] = set()
    for at in starts:
        name = re.sub(r"[^a-z0-9]+", "-", words(tokens[at + 1]).lower()).strip("-")
        while name in taken or name in ("", "top", "menu", "theme"):  # those of the page's frame
            name += "-again"
        taken.add(name)
        tokens[at].attrSet("id", name)

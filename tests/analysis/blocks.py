"""What tests look for in a section, and in a page."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser

import numpy as np

from analysis import style
from analysis.document import Block, Bullets, Figure, Heading, Paragraph, Section

VOID = {"meta", "link", "img", "br", "hr", "mspace"}


def words(found: Section | Iterable[Block]) -> str:
    """All its text, titles and captions too."""
    parts: list[str] = []
    for block in found.blocks if isinstance(found, Section) else found:
        if isinstance(block, Paragraph | Heading):
            parts.append(block.text)
        else:
            parts += block.items if isinstance(block, Bullets) else [block.title, block.caption]
    return "\n".join(parts)


def figures(found: Section) -> dict[str, Figure]:
    """Its figures by name."""
    return {block.name: block for block in found.blocks if isinstance(block, Figure)}


def check_drawn(block: Figure) -> None:
    """See that a figure shows something, and that every axis says what it shows."""
    figure = block.draw()
    figure.canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
    assert pixels[..., :3].std() > 10
    for axis in figure.axes:
        assert axis.get_title(loc="left") and axis.get_xlabel()
        ticks = [label.get_text() for label in axis.get_yticklabels()]
        beside = not axis.yaxis.get_tick_params()["labelleft"]  # the panel at its left says it
        said = beside or (ticks and all(ticks))
        assert axis.get_ylabel() or said, "ticks that say it all need no label"
    style.close(figure)


class Reader(HTMLParser):
    """A page's tags with their attributes, its words, and whether all that opens is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

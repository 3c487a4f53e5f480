"""Pages for GitHub, parsed again."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from analysis import style
from analysis.document import Bullets, Document, Figure, Heading, Paragraph, Section, Table
from analysis.writers import files, markdown
from tests.analysis.blocks import Reader
from tests.analysis.writers.test_page import draw

PARSER = MarkdownIt("commonmark").enable("table")
HOSTILE = "<script>x</script> a | b *c* _d_ `e` [f](javascript:g) &lt; \\| \n# h"
BLOCKS = (
    Paragraph("**Bold *and* italic** `a | b`, [web](https://a.b/(c?d|e), [here](#second), a_b"),
    Paragraph("to [nowhere](#none)"),
    *(Paragraph(f"{begin} words") for begin in ("#", "-", "+", "1.", "100)", ">", "===", "`x`")),
    Heading("A *heading*"),
    Bullets(("one", "- **two**")),
    Figure(name="one", title="One", caption="Below.", draw=lambda: draw(5), alt="five ] | points"),
    Table(
        name="numbers",
        title="Numbers | names",
        caption="of *things*",
        columns=("na|me", "value"),
        rows=(("`a|b`", "98.2 ± 0.3"), ("**c** d", None), (HOSTILE, 0.5)),
        bold=(1,),
    ),
    Paragraph(HOSTILE),
)


MORE = dataclasses.replace(BLOCKS[-2], name="more")


def made() -> dict[str, bytes]:
    sections = (
        Section(id="first", title="First & foremost", blocks=BLOCKS),
        Section(id="second", title="Second", blocks=(MORE, Paragraph("see [1](#first)"))),
    )
    document = Document(title="T", subtitle="S", notices=("not `real`", "- two"), sections=sections)
    data = {"numbers": "sweeps/x.json"}
    return markdown.files(document, files.render(document), data=data)


@pytest.fixture(scope="module")
def pages() -> dict[str, bytes]:
    return made()


def parsed(page: bytes) -> Reader:
    read = Reader(PARSER.render(page.decode()))
    read.tags = [tag for tag in read.tags if tag[0] not in ("thead", "tbody", "tr")]
    return read


def test_what_is_parsed_again_is_what_was_written(pages: dict[str, bytes]) -> None:
    assert [*pages] == ["figures/one.png", "first.md", "second.md", "README.md"]
    read = parsed(pages["first.md"])
    table = "table th th td code td td strong td td em code td"
    assert [tag for tag, _ in read.tags] == [
        *("blockquote", "p", "code", "a", "h1", "p", "strong", "em", "code", "a", "a"),
        *(*["p"] * 9, "code", "h2", "em", "ul", "li", "li", "strong"),
        *("p", "strong", "p", "img", "p", "p", "strong", *table.split(), "p", "em", "a"),
        *("p", "em", "code", "hr", "p", "a", "a"),
    ]
    for words in ("1. First & foremost", "a | b", "a|b", "na|me", "Numbers | names", "100) words"):
        assert words in read.words
    for words in ("Figure 1.", "Table 1.", "to nowhere", "- two", "a_b", "98.2 ± 0.3"):
        assert words in read.words
    assert read.words.count("<script>x</script> a | b c _d_ e [f](javascript:g) &lt; \\| # h") == 2
    assert "Table 2." in parsed(pages["second.md"]).words, "counted through all pages"


def test_links_lead_to_files_that_are_made(pages: dict[str, bytes]) -> None:
    links = {
        name: " ".join(str(a["href"]) for a in parsed(pages[name]).all("a"))
        for name in pages
        if ".md" in name
    }
    web = "https://a.b/%28c?d%7Ce"
    assert links == {
        "first.md": f"README.md {web} second.md sweeps/x.json README.md second.md",
        "second.md": "README.md first.md first.md README.md",
        "README.md": "first.md second.md report.pdf",
    }
    [image] = parsed(pages["first.md"]).all("img")
    assert (image["src"], image["alt"]) == ("figures/one.png", "five ] | points")


def test_each_page_has_the_notices_and_says_who_made_it(pages: dict[str, bytes]) -> None:
    said = {name: pages[name].decode() for name in ("first.md", "second.md", "README.md")}
    assert said["README.md"].startswith(f"{markdown.MADE}\n\n> not `real`\n>\n> &#45; two\n\n# T")
    for name in ("first.md", "second.md"):
        begin = f"{markdown.MADE}\n\n> not `real` ([and 1 more](README.md))\n\n# "
        assert said[name].startswith(begin)


def test_the_same_document_gives_the_same_bytes(pages: dict[str, bytes]) -> None:
    assert made() == pages


def test_a_small_picture_looks_the_same_and_a_colourful_one_stays() -> None:
    def photo():  # type: ignore[no-untyped-def]
        canvas, [axis] = style.axes(width=4, height=2)
        axis.imshow(np.random.default_rng(0).random((200, 300, 3)))
        return canvas

    pictures = {"lines": lambda: draw(9), "noise": photo}
    figures = (Figure(name=n, title="", caption="", draw=d) for n, d in pictures.items())
    section = Section(id="s", title="S", blocks=tuple(figures))
    rendered = files.render(Document(title="T", subtitle="", notices=(), sections=(section,)))
    drawn, noise = rendered["lines"], rendered["noise"]
    assert noise.small == noise.png
    assert len(drawn.small) < 0.6 * len(drawn.png)
    one, other = (
        np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=float)
        for png in (drawn.png, drawn.small)
    )
    assert one.shape == other.shape and np.abs(one - other).mean() < 1

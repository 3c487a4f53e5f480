"""The theory as one HTML page, read as text and opened in a browser where there is one."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from analysis.theory import page
from analysis.theory.reading import Theory, parse, read
from search.errors import UserError

VOID = {"meta", "link", "br", "hr", "mspace"}


class Reader(HTMLParser):
    """Tags with their attributes, and whether all that are opened are closed."""

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


@pytest.fixture(scope="module")
def theory() -> Theory:
    found = read()
    assert found
    return found


@pytest.fixture(scope="module")
def written(theory: Theory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.write(theory, tmp_path_factory.mktemp("theory") / "theory.html")


@pytest.fixture(scope="module")
def whole(written: Path) -> Reader:
    return Reader(written.read_text(encoding="utf-8"))


def test_it_is_well_formed_and_every_heading_is_in_its_contents(
    theory: Theory, whole: Reader
) -> None:
    assert whole.open == []
    headings = [p for part in theory.parts for p in ((part.id, part.title), *part.parts)]
    links = [a["href"] for a in whole.all("a")]
    assert [link for link in links if link != "#top"] == [f"#{id}" for id, _ in headings]
    ids = [attributes["id"] for _, attributes in whole.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {id for id, _ in headings} <= set(ids)
    assert [section["id"] for section in whole.all("section")] == [p.id for p in theory.parts]
    assert all(title in whole.words for _, title in headings)


def test_every_formula_is_drawn_and_none_is_left(theory: Theory, whole: Reader) -> None:
    inline = theory.source.count("$") - 2 * theory.source.count("$$")
    displayed = theory.source.count("$$") // 2
    shown = [math["display"] for math in whole.all("math")]
    assert (shown.count("inline"), shown.count("block")) == (inline // 2, displayed)
    assert not set("$\\") & set(whole.words)


def test_nothing_is_loaded_from_anywhere(written: Path, whole: Reader) -> None:
    assert [path.name for path in written.parent.iterdir()] == ["theory.html"]
    assert [a for _, a in whole.tags if "src" in a] == []
    assert {link["href"] for link in whole.all("link")} == {"data:,"}
    text = written.read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", text)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses == {"http://www.w3.org/1998/Math/MathML"}, "a name, not to be opened"


def test_marks_lists_tables_and_code(short: Theory, out: Path) -> None:
    text = page.write(short, out / "x.html").read_text(encoding="utf-8")
    assert Reader(text).open == []
    for expected in (
        "<title>A &amp; B</title>",
        "The <em>opening</em>, with <code>code &lt;b&gt;</code> &amp; <strong>bold</strong>.",
        "<h2>1. Why <code>f(x)</code> is &lt;b&gt;</h2>",
        '<li><a href="#1-why-f-x-is-b">1. Why f(x) is &lt;b&gt;</a>',
        '<h3 id="1-a-below">1 (a) Below</h3>',
        '<a href="https://example.org/?a&amp;b">a link</a>',
        "<li><strong>second</strong>\nand more</li>",
        "<td>1 &lt; 2</td>",
        "    return x  # &lt;b&gt;\n</code></pre>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ):
        assert expected in text
    assert text.count('<div class="formula"') == 1
    assert text.count("<math") == 4


def test_the_same_text_is_the_same_file(short: Theory, out: Path) -> None:
    first, second = (page.write(short, out / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_a_broken_formula_leaves_no_file(out: Path) -> None:
    with pytest.raises(UserError, match=r"\\foo"):
        page.write(parse("# T\n\n## A\n\n$\\foo$\n"), out / "x.html")
    assert list(out.iterdir()) == []


# What a browser makes of it ---------------------------------------------------------------------

TRIED = """
<script>
addEventListener("load", () => {
  const all = s => [...document.querySelectorAll(s)], root = document.documentElement;
  const flat = all("math").filter(m => m.getBoundingClientRect().height < 5).length;
  const cut = all(".formula").filter(f => f.scrollHeight > f.clientHeight).length;
  const wide = root.scrollWidth > innerWidth;
  root.setAttribute("data-told", [flat, cut, wide].join(" "));
});
</script>
"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 420])
def test_in_a_browser(
    written: Path, tmp_path: Path, width: int, browser: Callable[..., str]
) -> None:
    copied = tmp_path / "page.html"
    text = written.read_text(encoding="utf-8")
    copied.write_text(text.replace("</body>", f"{TRIED}</body>"), encoding="utf-8")
    shown = browser(copied, width=width)
    assert Reader(shown).all("html")[0]["data-told"] == "0 0 false"

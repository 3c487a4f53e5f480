"""The report as one HTML file, read as text and opened in a browser where there is one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure as Canvas

from analysis import style
from analysis.document import Bullets, Document, Figure, Heading, Paragraph, Section, Table
from analysis.writers import files, page
from tests.analysis.blocks import Reader

SECTIONS = (
    *("summary", "reasoning", "search", "reconstructions", "interpolation", "tsne"),
    *("structure", "mistakes", "reproduction"),
)


def draw(points: int) -> Canvas:
    canvas, [axis] = style.axes(width=4, height=2)
    axis.scatter(range(points), range(points))
    return canvas


def document() -> Document:
    blocks = (
        Paragraph("**Bold**, <script>alert(1)</script> & [a link](https://example.org/)"),
        Heading("Below"),
        Bullets(("one", "two `three`")),
    )
    table = Table(
        name="numbers",
        title="Numbers",
        caption="of *things*",
        columns=("name", "value"),
        rows=(("b", "2.0 ± 0.1"), ("a", "10.0 ± 0.1"), ("c", None), ('"d"', "-1")),
        bold=(1,),
    )
    figures = [
        Figure(name=name, title=name, caption="A caption.", draw=lambda n=n: draw(n), alt=alt)
        for name, n, alt in (("small", 5, "five points"), ("large", 4000, ""))
    ]
    sections = tuple(
        Section(id=name, title=name.title(), blocks=(*blocks, *figures, table) if not i else blocks)
        for i, name in enumerate(SECTIONS)
    )
    return Document(title="A & B", subtitle="C", notices=("Run: `x`", "two"), sections=sections)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = document()
    path = tmp_path_factory.mktemp("page") / "index.html"
    return page.write(made, files.render(made), path)


@pytest.fixture(scope="module")
def read(written: Path) -> Reader:
    return Reader(written.read_text(encoding="utf-8"))


def test_it_is_whole_and_every_section_has_its_id(read: Reader) -> None:
    assert read.open == []
    assert [section["id"] for section in read.all("section")] == list(SECTIONS)
    links = {a["href"] for a in read.all("a")}
    assert {f"#{name}" for name in SECTIONS} <= links


def test_nothing_is_loaded_from_anywhere(written: Path, read: Reader) -> None:
    assert [path.name for path in written.parent.iterdir()] == ["index.html"]
    sources = [a.get("src") or "" for t, a in read.tags if t in ("img", "script", "iframe")]
    assert all(source.startswith("data:") for source in sources if source)
    assert {link["href"] for link in read.all("link")} == {"data:,"}
    text = written.read_text()
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", text)
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"https://example.org/"}


def test_pictures_have_words_and_the_small_one_stays_sharp(read: Reader) -> None:
    small, large = (img for img in read.all("img") if img.get("src"))
    assert (small["alt"], large["alt"]) == ("five points", "A caption.")
    assert str(small["src"]).startswith("data:image/svg+xml;base64,")
    assert str(large["src"]).startswith("data:image/png;base64,")
    assert (small["width"], small["height"]) == ("440", "220")


def test_texts_are_escaped_and_marked(written: Path) -> None:
    text = written.read_text()
    assert "<strong>Bold</strong>, &lt;script&gt;alert(1)&lt;/script&gt; &amp; <a href=" in text
    assert "<title>A &amp; B</title>" in text
    assert "Run: <code>x</code>" in text


def test_cells_know_what_they_sort_by(read: Reader) -> None:
    cells = [cell["data-value"] for cell in read.all("td")]
    assert cells == ["b", "2.0", "a", "10.0", "c", "", '"d"', "-1.0"]
    assert read.all("td")[1]["class"] == "number"


def test_without_notices_there_is_no_banner(out: Path) -> None:
    made = Document(title="T", subtitle="", notices=(), sections=())
    text = page.write(made, files.render(made), out / "x.html").read_text()
    assert 'role="note"' not in text


# What a browser makes of it ---------------------------------------------------------------------

TRIED = """
<script>
addEventListener("load", async () => {
  const root = document.documentElement, find = s => document.querySelector(s);
  await Promise.all([...document.images].filter(i => i.src).map(i => i.decode().catch(() => 0)));
  const values = () => [...document.querySelectorAll("td.number")].map(td => td.innerText);
  const told = { pictures: 0, broken: 0 };
  for (const image of document.querySelectorAll("figure img"))
    image.naturalWidth ? told.pictures++ : told.broken++;
  const sort = find("th.number button");
  sort.click(); told.up = values().join("|");
  sort.click(); told.down = values().join("|");
  const before = getComputedStyle(document.body).backgroundColor;
  find("#theme").click();
  told.turned = before !== getComputedStyle(document.body).backgroundColor;
  find("figure button").click();
  told.large = find("dialog").open && find("dialog img").naturalWidth > 0;
  find("dialog").click(); told.closed = !find("dialog").open;
  find("#menu").click(); told.menu = find("#menu").getAttribute("aria-expanded");
  told.wide = root.scrollWidth > innerWidth;
  root.setAttribute("data-told", JSON.stringify(told));
});
</script>
"""


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 420])
def test_in_a_browser(
    written: Path, tmp_path: Path, width: int, browser: Callable[..., str]
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    copied = alone / "page.html"
    copied.write_text(written.read_text().replace("</body>", f"{TRIED}</body>"))
    shown = browser(copied, width=width)
    found = dict(Reader(shown).all("html")[0])
    told = json.loads(found["data-told"] or "{}")
    assert told == {
        "pictures": 2,
        "broken": 0,
        "up": "-1|2.0 ± 0.1|10.0 ± 0.1|",
        "down": "10.0 ± 0.1|2.0 ± 0.1|-1|",
        "turned": True,
        "large": True,
        "closed": True,
        "menu": "true" if width < 820 else told["menu"],
        "wide": False,
    }

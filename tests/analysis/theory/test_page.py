"""docs/theory.md as parsed and as one HTML page, read as text and opened in a browser."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it.token import Token

from analysis.theory import page
from analysis.theory.page import BrokenFormula, Theory, mathml, parse, read
from search.errors import UserError
from tests.analysis.blocks import Reader

ROOT = Path(__file__).resolve().parents[3]
OURS = ("analysis/", "benchmarks/", "docs/", "models/", "search/", "tests/", "trainers/")
FOREIGN = {"remainder", "fmod"}  # functions of others that the text speaks of
TEXT = r"""# A & B

The *opening*, with `code <b>` & **bold**.

## 1. Why `f(x)` is <b>

A formula among words ($x_1^2$), and one of its own:

$$
\sum_{i=1}^{n} \frac{x_i}{n} = \log x
$$

which ends here, with [a link](https://example.org/?a&b).

### 1 (a) Below

- first, $y$;
- **second**
  and more

1. one
2. two

| name | $\alpha$ |
|---|---|
| `a` | 1 < 2 |

```python
def f(x):
    return x  # <b>
```

## 2. Last

<script>alert(1)</script>
"""


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


def tokens(theory: Theory) -> list[Token]:
    """All, those within lines too."""
    return [one for block in theory.tokens for one in (block, *(block.children or []))]


def test_every_heading_has_its_place_its_address_and_its_line_in_the_contents(
    theory: Theory, whole: Reader
) -> None:
    lines = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", theory.source, flags=re.S), re.M)
    headings = [heading for part in theory.parts for heading in (part, *part.parts)]
    titles = [theory.title, *(heading.title for heading in headings)]
    assert titles == [title.replace("`", "") for title in lines]
    assert len(headings) > 30
    assert whole.open == []
    links = [a["href"] for a in whole.all("a")]
    assert [link for link in links if link != "#top"] == [f"#{one.id}" for one in headings]
    ids = [attributes["id"] for _, attributes in whole.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {one.id for one in headings} <= set(ids)
    assert [section["id"] for section in whole.all("section")] == [p.id for p in theory.parts]
    assert all(title in whole.words for title in titles)


def test_every_formula_is_drawn_and_none_is_left(theory: Theory, whole: Reader) -> None:
    formulas = [token for token in tokens(theory) if token.type.startswith("math")]
    shown = [math["display"] for math in whole.all("math")]
    assert shown == ["block" if token.block else "inline" for token in formulas]
    assert len(formulas) > 150
    dollars = re.sub(r"\\\$", "", theory.source).count("$")
    assert dollars == sum(4 if token.block else 2 for token in formulas)
    assert not set("$\\") & set(whole.words)
    drawn = [ElementTree.fromstring(mathml(f.content, display=f.block)) for f in formulas]
    for formula, made in zip(formulas, drawn, strict=True):
        text = "".join(made.itertext())
        assert text.strip() and not set(text) & set("\\$&"), formula.content


def test_nothing_is_loaded_from_anywhere(written: Path, whole: Reader) -> None:
    assert [path.name for path in written.parent.iterdir()] == ["theory.html"]
    assert [a for _, a in whole.tags if "src" in a] == []
    assert {link["href"] for link in whole.all("link")} == {"data:,"}
    text = written.read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", text)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", text))
    assert addresses == {"http://www.w3.org/1998/Math/MathML"}, "a name, not to be opened"


def test_marks_lists_tables_and_code(out: Path) -> None:
    first, second = (page.write(parse(TEXT), out / name).read_bytes() for name in "ab")
    assert first == second
    text = first.decode()
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


def test_a_broken_formula_leaves_no_file(out: Path) -> None:
    with pytest.raises(UserError, match=r"\\foo"):
        page.write(parse("# T\n\n## A\n\n$\\foo$\n"), out / "x.html")
    assert list(out.iterdir()) == []


def test_limits_stand_below_where_there_is_room() -> None:
    assert "munderover" in mathml(r"\sum_{i=1}^{n} i", display=True)


@pytest.mark.parametrize("formula", [r"\foo x", r"\frac{1}{", "x^", r"\left( x", "a_b_c"])
def test_a_broken_formula_is_named(formula: str) -> None:
    with pytest.raises(BrokenFormula) as caught:
        mathml(f"1 +\n{formula}", display=True)
    told = str(caught.value).splitlines()
    assert len(told) == 2
    assert told[0].endswith(f"1 + {formula}")
    assert told[1]
    assert caught.value.status == 1


def test_headings_of_the_same_words_have_other_addresses() -> None:
    ids = [part.id for part in parse("# T\n\n## A\n\n### B\n\n## A\n\n## Top\n\n## ?\n").parts]
    assert len({*ids, "top", ""}) == len(ids) + 2


def test_money_is_no_formula() -> None:
    found = parse("# T\n\n## A\n\nfrom $5 to $6 or $5-$6, and $ x $\n")
    assert not [token for token in tokens(found) if token.type == "math_inline"]


def test_without_a_title_it_says_so() -> None:
    with pytest.raises(UserError, match="# Title"):
        parse("words\n")


def test_where_there_is_none_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "THEORY", tmp_path / "theory.md")
    assert read() is None


# What it names ----------------------------------------------------------------------------------


def functions(folder: Path) -> set[str]:
    """Of all modules in a folder."""
    return {
        node.name
        for file in folder.rglob("*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }


def test_what_it_names_exists(theory: Theory) -> None:
    known = {
        *functions(ROOT / "tests" / "analysis" / "theory"),
        *functions(ROOT / "analysis" / "theory"),
        *(file.stem for file in (ROOT / "search" / "sweeps").glob("[!_]*.py")),
        *FOREIGN,
    }
    codes = {token.content for token in tokens(theory) if token.type == "code_inline"}
    names = {code for code in codes if re.fullmatch(r"[a-z]\w*", code)}
    assert {"test_nesting", "descend", "vae"} <= names, "tests, functions and sweeps are found"
    assert sorted(names - known) == []
    files = {word for code in codes for word in code.split() if word.startswith(OURS)}
    assert len(files) > 2
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []


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

"""Figures drawn once, figures and tables as single files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure as Canvas
from PIL import Image

from analysis import style
from analysis.document import Block, Document, Figure, Section, Table
from analysis.writers import files


def draw() -> Canvas:
    canvas, [axis] = style.axes(width=4, height=2)
    axis.plot([0, 1], [1, 0])
    axis.set_title("5 ± 1")
    return canvas


def figure(name: str, draw: Callable[[], Canvas] = draw) -> Figure:
    return Figure(name=name, title=name, caption="", draw=draw)


TABLE = Table(
    name="numbers",
    title="Numbers & names",
    caption="50 % of\nthem",
    columns=("name", "value", "`code`"),
    rows=(("a_b", 1 / 3, "x^2"), ("**c**, d", None, "98.2 ± 0.3"), ("±\\", 2, "→ #1")),
    bold=(1,),
)


def document(*blocks: Block) -> Document:
    section = Section(id="s", title="S", blocks=blocks)
    return Document(title="T", subtitle="", notices=(), sections=(section,))


def test_each_figure_is_drawn_once_and_closed() -> None:
    drawn = []

    def counted() -> Canvas:
        drawn.append(draw())
        return drawn[-1]

    before = plt.get_fignums()
    rendered = files.render(document(figure("one", counted)))
    assert len(drawn) == 1
    assert plt.get_fignums() == before
    picture = rendered["one"]
    image = Image.open(io.BytesIO(picture.png))
    assert image.size == picture.size == (640, 320)  # 4 x 2 inches at 160 dots an inch
    assert image.convert("L").getextrema()[0] < 128, "something dark was drawn"
    assert ElementTree.fromstring(picture.svg).tag.endswith("svg")


def test_a_figure_that_breaks_is_closed_too() -> None:
    before = plt.get_fignums()

    def broken() -> Canvas:
        canvas = draw()
        canvas.savefig = lambda *_, **__: 1 / 0  # type: ignore[method-assign, assignment]
        return canvas

    with pytest.raises(ZeroDivisionError):
        files.render(document(figure("one", broken)))
    assert plt.get_fignums() == before


def test_the_same_figure_is_the_same_file() -> None:
    first, second = (files.render(document(figure("one")))["one"] for _ in range(2))
    assert first == second


@pytest.mark.parametrize("names", [("a", "a"), ("a/b",), ("",), ("../a",)])
def test_names_are_files_names_and_unique(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"called|no name of a file"):
        files.render(document(*map(figure, names)))


def test_files_of_each_kind(out: Path) -> None:
    made = document(figure("one"), TABLE, figure("two"))
    rendered = files.render(made)
    found = {kind: files.write(made, rendered, out, kind) for kind in ("png", "svg", "csv", "tex")}
    names = {k: [str(path.relative_to(out)) for path in paths] for k, paths in found.items()}
    assert names == {
        "png": ["figures/one.png", "figures/two.png"],
        "svg": ["figures/one.svg", "figures/two.svg"],
        "csv": ["tables/numbers.csv"],
        "tex": ["tables/numbers.tex"],
    }
    everything = [path for path in out.rglob("*") if path.is_file()]
    assert len(everything) == 6, "no partial files stay"
    assert (out / "figures/one.png").read_bytes() == rendered["one"].png


def test_csv_holds_numbers_as_they_are() -> None:
    lines = list(csv.reader(io.StringIO(files.csv_text(TABLE))))
    assert lines[0] == ["name", "value", "code"]
    assert float(lines[1][1]) == 1 / 3
    assert lines[2] == ["c, d", "", "98.2 ± 0.3"]


def test_what_a_comment_of_tex_holds_stays_in_it() -> None:
    ends = "\n\r\x0b\x0c\x85\u2028"
    said = f"by{ends}\\input{{x}}{ends}<script>"
    made = Table(name="t", title=said, caption=said, columns=("a",), rows=((said,),))
    comments = files.tex_text(made).splitlines()[:2]
    assert comments == [r"% by \input{x} <script>"] * 2
    assert r"\textbackslash{}input\{x\}" in files.tex_text(made)


def test_tex_is_escaped_and_needs_no_package() -> None:
    text = files.tex_text(TABLE)
    assert "% Numbers & names\n% 50 % of them\n\\begin{tabular}{lrl}\n" in text
    assert r"a\_b & 0.3333 & x\textasciicircum{}2 \\" in text
    assert r"\textbf{\textbf{c}, d} &  & \textbf{98.2 $\pm$ 0.3} \\" in text
    assert r"$\pm$\textbackslash{} & 2 & $\rightarrow$ \#1 \\" in text
    assert text.endswith("\\hline\n\\end{tabular}\n")
    assert "rule{" not in text


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *((3, 3.0), (0.5, 0.5), ("12", 12.0), ("1,234", 1234.0), ("98.21 ± 0.30", 98.21)),
        *(("+1.2", 1.2), ("-0.5 points", -0.5), ("\N{MINUS SIGN}2", -2.0), ("98k", 98.0)),
        *(("< 0.0001", 0.0001), ("1e-3", 0.001), ("5 %", 5.0), ("7 s", 7.0), ("**4**", 4.0)),
        *((None, None), ("", None), ("3f2ab", None), ("1e5ab", None), ("2025-11-20", None)),
        *(("1, 2", None), ("trial 3", None), ("1.2.3", None)),
    ],
)
def test_what_a_cell_sorts_by(cell: str | float | None, value: float | None) -> None:
    assert files.number(cell) == value


def test_a_column_of_numbers_may_have_gaps_but_no_words() -> None:
    assert [files.is_numeric(TABLE, column) for column in range(3)] == [False, True, False]

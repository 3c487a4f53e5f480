"""The theory as a PDF."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from reportlab.pdfgen.textobject import PDFTextObject

from analysis.cache import Cache
from analysis.theory import pdf
from analysis.theory.glyphs import Formula
from analysis.theory.pdf_lines import Display
from analysis.theory.reading import Theory, parse, read
from analysis.writers.pdf_type import fonts
from search.errors import UserError


@pytest.fixture(autouse=True)
def _fonts() -> None:
    fonts()


def pages(content: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", content))


def outline(content: bytes) -> list[str]:
    """The titles in the viewer's outline."""
    titles = re.findall(rb"/Title \(((?:\\.|[^\\)])*)\)", content, re.S)
    found = [re.sub(rb"\\(.)", rb"\1", title, flags=re.S) for title in titles]
    return [
        title.decode("utf-16" if title.startswith(b"\xfe\xff") else "latin-1") for title in found
    ]


def spied(patch: pytest.MonkeyPatch) -> list[str]:
    """What is written on the pages of all passes, string by string, formulas included."""
    said: list[str] = []
    formatted = PDFTextObject._formatText

    def heard(self: PDFTextObject, words: str) -> str:
        said.append(words)
        return formatted(self, words)

    patch.setattr(PDFTextObject, "_formatText", heard)
    return said


@pytest.mark.slow
def test_the_whole_theory(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theory = read()
    assert theory
    drawn: list[Formula] = []
    draw = Formula.draw

    def counted(self: Formula, *args: object) -> None:
        drawn.append(self)
        draw(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Formula, "draw", counted)
    said = spied(monkeypatch)
    content = pdf.write(theory, out / "theory.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert 10 <= pages(content) <= 25
    titles = outline(content)
    headings = [t for part in theory.parts for t in (part.title, *(t for _, t in part.parts))]
    assert [title for title in titles if title in headings] == headings
    formulas = (theory.source.count("$") - theory.source.count("$$")) // 2
    passes, rest = divmod(len(drawn), formulas)
    assert passes and not rest, "every formula once a pass"
    words = re.sub(r"\s+", "", "".join(said))
    for title in headings:  # above its text in every pass, in the contents in all but the first
        assert words.count(re.sub(r"\s+", "", title)) >= 2 * passes - 1, title
    assert "$" not in words and "\\" not in words
    embedded = set(re.findall(rb"/BaseFont /\w+\+([\w-]+)", content))
    assert {b"DejaVuSans", b"DejaVuSans-Bold", b"DejaVuSerif"} <= embedded
    assert b"/FontFile2" in content
    assert b"/Subtype /Image" not in content, "formulas are letters, not pictures"
    assert [path.name for path in out.iterdir()] == ["theory.pdf"]


def test_marks_lists_tables_and_code(
    short: Theory, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = spied(monkeypatch)
    content = pdf.write(short, out / "theory.pdf").read_bytes()
    words = "".join(said)
    for expected in ("The opening, with code <b>", "second and more", "1 < 2", "y;", "1.one2.two"):
        assert expected.replace(" ", "") in words.replace(" ", "")
    assert "    return x  # <b>" in words
    assert b"(https://example.org/?a&b)" in content
    embedded = set(re.findall(rb"/BaseFont /\w+\+([\w-]+)", content))
    assert {b"DejaVuSans-Oblique", b"DejaVuSans-Bold", b"DejaVuSansMono"} <= embedded


def test_the_same_text_is_the_same_file(short: Theory, out: Path) -> None:
    first, second = (pdf.write(short, out / name).read_bytes() for name in ("a", "b"))
    assert first == second


def test_an_unchanged_text_is_not_set_again(
    short: Theory, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(pdf, "_made", lambda theory: made.append(theory) or b"%PDF")
    cache = Cache(out / "cache")
    for theory in (short, short, parse("# Other\n"), short):
        assert pdf.write(theory, out / "x.pdf", cache=cache).read_bytes() == b"%PDF"
    assert [theory.title for theory in made] == ["A & B", "Other", "A & B"], "one is kept"
    monkeypatch.setattr(pdf.fingerprint, "code", lambda: "other")
    pdf.write(short, out / "x.pdf", cache=cache)
    assert len(made) == 4


def test_words_are_as_they_are_marked() -> None:
    [part] = parse("# T\n\n## A\n\n**bold** *slanted* `code` <b>&amp;\n").parts
    [line] = pdf._flow(pdf.Node(part.tokens))
    faces = {fragment.text: fragment.fontName for fragment in line.frags}
    assert faces["bold"] == "DejaVuSans-Bold"
    assert faces["slanted"] == "DejaVuSans-Oblique"
    assert faces["code"] == "DejaVuSansMono"
    assert "".join(fragment.text for fragment in line.frags) == "bold slanted code <b>&"


def test_what_touches_a_formula_stays_on_its_line() -> None:
    text = "# T\n\n## A\n\nwords ($x$), $y$-th $z$. **b**$w$`c` $v$\n"
    [part] = parse(text).parts
    [line] = pdf._flow(pdf.Node(part.tokens))
    glued = [f.cbDefn.image for f in line.frags if hasattr(f, "cbDefn")]
    beside = [
        tuple("".join(text for text, _ in words) for words in (one.before, one.after))
        for one in glued
    ]
    assert beside == [("(", "),"), ("", "-th"), ("", "."), ("b", "c"), ("", "")]
    assert "".join(fragment.text for fragment in line.frags).split() == ["words"]


def test_a_formula_wider_than_the_page_is_made_smaller() -> None:
    wide = Display(pdf.typeset("x + " * 100 + "x", 10, display=True))
    narrow = Display(pdf.typeset("x", 10, display=True))
    assert wide.wrap(400, 800)[0] == 400
    assert wide._scale < 1 == narrow.wrap(400, 800)[0] - 399
    assert narrow._scale == 1


@pytest.mark.parametrize("text", ["> quoted", "![x](y.png)", "---"])
def test_what_it_cannot_show_is_not_left_out_in_silence(text: str, out: Path) -> None:
    with pytest.raises(UserError, match="PDF has no"):
        pdf.write(parse(f"# T\n\n## A\n\n{text}\n"), out / "x.pdf")


def test_a_broken_formula_leaves_no_file(out: Path) -> None:
    with pytest.raises(UserError, match=r"\\foo"):
        pdf.write(parse("# T\n\n## A\n\n$\\foo$\n"), out / "x.pdf")
    assert list(out.iterdir()) == []

"""docs/theory.md as parsed, and what it names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from markdown_it.token import Token

from analysis.theory import reading
from analysis.theory.reading import Theory, parse, read
from search.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
FOREIGN = {"remainder", "fmod"}  # functions of others that the text speaks of


@pytest.fixture(scope="module")
def theory() -> Theory:
    found = read()
    assert found
    return found


def tokens(theory: Theory) -> list[Token]:
    """All, those within lines too."""
    blocks = [*theory.opening, *(token for part in theory.parts for token in part.tokens)]
    return [*blocks, *(child for block in blocks for child in block.children or [])]


def test_every_heading_has_its_place_and_an_address_of_its_own(theory: Theory) -> None:
    lines = re.findall(r"^(#+) (.+)$", re.sub(r"```.*?```", "", theory.source, flags=re.S), re.M)
    found = [theory.title]
    for part in theory.parts:
        found += [part.title, *(title for _, title in part.parts)]
    assert found == [title.replace("`", "") for _, title in lines]
    ids = [id for part in theory.parts for id in (part.id, *(below for below, _ in part.parts))]
    assert len(set(ids)) == len(ids) > 30


def test_no_formula_is_left_as_text(theory: Theory) -> None:
    formulas = [token for token in tokens(theory) if token.type.startswith("math")]
    assert len(formulas) > 150
    stray = [t.content for t in tokens(theory) if t.type == "text" and "$" in t.content]
    assert stray == []
    dollars = re.sub(r"\\\$", "", theory.source).count("$")
    assert dollars == sum(4 if token.block else 2 for token in formulas)


def test_headings_of_the_same_words_have_other_addresses() -> None:
    parts = parse("# T\n\n## A\n\n### B\n\n## A\n\n## Top\n\n## ?\n").parts
    ids = [part.id for part in parts]
    assert len({*ids, "top", ""}) == len(ids) + 2


def test_what_stands_before_the_first_part_is_the_opening() -> None:
    theory = parse("# T\n\nwords\n\n## A `b`\n\nmore\n\n$$\nx\n$$\nand more\n")
    assert [token.content for token in theory.opening if token.type == "inline"] == ["words"]
    [part] = theory.parts
    assert part.title == "A b"
    kinds = [token.type for token in part.tokens if token.nesting >= 0]
    assert kinds == ["paragraph_open", "inline", "math_block", "paragraph_open", "inline"]


def test_money_is_no_formula() -> None:
    [part] = parse("# T\n\n## A\n\nfrom $5 to $6 or $5-$6, and $ x $\n").parts
    assert not [c for t in part.tokens for c in t.children or [] if c.type == "math_inline"]


def test_without_a_title_it_says_so() -> None:
    with pytest.raises(UserError, match="# Title"):
        parse("words\n")


def test_where_there_is_none_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "THEORY", tmp_path / "theory.md")
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

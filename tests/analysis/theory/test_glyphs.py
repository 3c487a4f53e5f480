"""Formulas as letters of embedded fonts."""

from __future__ import annotations

import pytest

from analysis.theory.glyphs import typeset
from analysis.theory.reading import BrokenFormula, read
from analysis.writers.pdf import WIDTH


def text(formula: str, *, display: bool = False) -> str:
    return "".join(letter.text for letter in typeset(formula, 10, display=display).letters)


def test_every_formula_of_the_theory_fits_the_page() -> None:
    theory = read()
    assert theory
    for part in theory.parts:
        for token in part.tokens:
            for found in (token, *(token.children or [])):
                if found.type.startswith("math"):
                    made = typeset(found.content, 10, display=found.block)
                    assert made.letters, found.content
                    assert 0 < made.width < WIDTH, found.content
                    assert {letter.font[:4] for letter in made.letters} <= {"Deja", "STIX"}


@pytest.mark.parametrize(
    ("formula", "letters"),
    [
        (r"\mathbb{R}^n", "\N{DOUBLE-STRUCK CAPITAL R}n"),
        (r"\mathbb{E}", "\N{MATHEMATICAL DOUBLE-STRUCK CAPITAL E}"),
        (r"f'(x) f''", "f\N{PRIME}(x)f\N{DOUBLE PRIME}"),
        (r"q \Vert p \mid \varepsilon \odot \lbrace x \rbrace", "q‖p\N{DIVIDES}ε⊙{x}"),
        ("201{,}326", "201,326"),
    ],
)
def test_letters(formula: str, letters: str) -> None:
    found = text(formula)
    assert found == letters
    assert {letter.font for letter in typeset(formula, 10).letters} <= {
        "DejaVuSerif",
        "DejaVuSerif-Italic",
    }


def test_letters_stand_around_the_baseline_and_scripts_are_smaller() -> None:
    made = typeset("x_1^2", 10)
    base, *scripts = made.letters
    assert base.y == pytest.approx(0, abs=0.1)
    assert base.size == 10
    assert {letter.size for letter in scripts} == {7}
    assert sorted(letter.y > 0 for letter in scripts) == [False, True]
    assert made.height > 5 and 0 < made.depth < 5
    assert typeset("x", 20).width == pytest.approx(2 * typeset("x", 10).width, rel=0.05)


def test_a_fraction_has_its_bar_and_is_large_where_there_is_room() -> None:
    small, large = (typeset(r"\frac{a}{b}", 10, display=display) for display in (False, True))
    assert len(small.bars) == len(large.bars) == 1
    assert max(letter.size for letter in small.letters) < 10
    assert {letter.size for letter in large.letters} == {10}


def test_limits_of_sums_stand_below_where_there_is_room() -> None:
    beside, below = (typeset(r"\sum_j", 10, display=display) for display in (False, True))
    assert beside.width > below.width
    assert beside.depth < below.depth


def test_functions_have_a_space_before_them() -> None:
    tight, loose = typeset(r"{D}{}\log x", 10), typeset(r"D \log x", 10)
    letters = {letter.text: letter.x for letter in loose.letters}
    assert letters["l"] - letters["D"] > 9
    assert loose.width >= tight.width


@pytest.mark.parametrize("formula", [r"\foo x", r"\frac{1}{", "x^", r"\left( x", "x}"])
def test_a_broken_formula_is_named(formula: str) -> None:
    with pytest.raises(BrokenFormula) as caught:
        typeset(f"1 +\n{formula}", 10)
    told = str(caught.value).splitlines()
    assert len(told) == 2
    assert told[0].endswith(f"1 + {formula}")
    assert told[1]

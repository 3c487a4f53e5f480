"""Formulas as MathML."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from analysis.theory.mathml import THIN, mathml
from analysis.theory.reading import BrokenFormula, read

NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"


def tree(formula: str, *, display: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(mathml(formula, display=display))


def tags(formula: str, *, display: bool = False) -> list[str]:
    made = tree(formula, display=display)
    return [element.tag.removeprefix(NAMESPACE) for element in made.iter()]


def flat(formula: str) -> list[str]:
    """The letters of a formula, and a space for each that was put in."""
    return [
        element.text or ("_" if element.get("width") == THIN else " ")
        for element in tree(formula).iter()
        if element.text or element.tag == f"{NAMESPACE}mspace"
    ]


def test_every_formula_of_the_theory_is_converted() -> None:
    theory = read()
    assert theory
    for part in theory.parts:
        for token in part.tokens:
            for found in (token, *(token.children or [])):
                if found.type.startswith("math"):
                    made = ElementTree.fromstring(mathml(found.content, display=found.block))
                    text = "".join(made.itertext())
                    assert text.strip() and not set(text) & set("\\$&"), found.content
                    assert made.get("display") == ("block" if found.block else "inline")


@pytest.mark.parametrize(
    ("formula", "letters"),
    [
        (r"D \log p", ["D", "_", "log", "_", "p"]),
        (r"\log(p)", ["log", "(", "p", ")"]),
        (r"= \log p = 1", ["=", "log", "_", "p", "=", "1"]),
        (r"\operatorname{softmax}_{\mathrm{a}}(Q)", ["softmax", "a", "(", "Q", ")"]),
        (r"f'(x)", ["f", "\N{PRIME}", "(", "x", ")"]),
        (r"f_1' + x''", ["f", "1", "\N{PRIME}", "+", "x", "\N{DOUBLE PRIME}"]),
        (r"\mathbb{R}^n \mid q \Vert p", list("\N{DOUBLE-STRUCK CAPITAL R}n\N{DIVIDES}q‖p")),
    ],
)
def test_letters_and_thin_spaces(formula: str, letters: list[str]) -> None:
    assert flat(formula) == letters


def test_a_word_is_one_word() -> None:
    assert "KL" in flat(r"D_{\mathrm{KL}}")
    [word] = [e for e in tree(r"\mathrm{KL}").iter() if e.text]
    assert word.get("mathvariant") is None, "it would not be upright"


@pytest.mark.parametrize(
    ("formula", "form"),
    [
        ("a - b", None),
        ("- b", "prefix"),
        ("a = - b", "prefix"),
        ("(a) - b", None),
        ("f' - b", None),
    ],
)
def test_a_minus_of_one_number_has_no_space_behind_it(formula: str, form: str | None) -> None:
    [minus] = [e for e in tree(formula).iter() if e.text == "\N{MINUS SIGN}"]
    assert minus.get("form") == form


@pytest.mark.parametrize(
    ("sign", "tag"),
    [(r"\sim", "mo"), (";", "mo"), ("/", "mi"), (r"\Vert", "mi"), (r"\nabla", "mi"), (".", "mi")],
)
def test_what_is_spaced_as_an_operator(sign: str, tag: str) -> None:
    assert tags(f"a {sign} b")[2:] == ["mi", tag, "mi"]


def test_limits_stand_below_where_there_is_room() -> None:
    assert "munderover" in tags(r"\sum_{i=1}^{n} i", display=True)
    assert "munder" in tags(r"\sup_{x} f", display=True)
    assert "munder" not in tags(r"\sup_{x} f")


def test_a_prime_is_no_script_as_it_is_high_and_small_already() -> None:
    assert not {"msup", "msubsup"} & {*tags("f'"), *tags("f_1'(x)")}
    assert "msup" in tags("f^2")


def test_a_comma_in_braces_is_part_of_a_number() -> None:
    [comma] = [e for e in tree("1{,}728").iter() if e.text == ","]
    assert (comma.get("lspace"), comma.get("rspace")) == ("0", "0")


@pytest.mark.parametrize("formula", [r"\foo x", r"\frac{1}{", "x^", r"\left( x", "a_b_c"])
def test_a_broken_formula_is_named(formula: str) -> None:
    with pytest.raises(BrokenFormula) as caught:
        mathml(f"1 +\n{formula}", display=True)
    told = str(caught.value).splitlines()
    assert len(told) == 2
    assert told[0].endswith(f"1 + {formula}")
    assert told[1]
    assert caught.value.status == 1

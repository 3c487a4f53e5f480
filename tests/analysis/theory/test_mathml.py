"""Formulas as MathML."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from analysis.theory.mathml import mathml
from analysis.theory.reading import BrokenFormula, read

NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"


def tree(formula: str, *, display: bool = False) -> ElementTree.Element:
    return ElementTree.fromstring(mathml(formula, display=display))


def tags(formula: str, *, display: bool = False) -> list[str]:
    made = tree(formula, display=display)
    return [element.tag.removeprefix(NAMESPACE) for element in made.iter()]


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


def test_limits_stand_below_where_there_is_room() -> None:
    assert "munderover" in tags(r"\sum_{i=1}^{n} i", display=True)


@pytest.mark.parametrize("formula", [r"\foo x", r"\frac{1}{", "x^", r"\left( x", "a_b_c"])
def test_a_broken_formula_is_named(formula: str) -> None:
    with pytest.raises(BrokenFormula) as caught:
        mathml(f"1 +\n{formula}", display=True)
    told = str(caught.value).splitlines()
    assert len(told) == 2
    assert told[0].endswith(f"1 + {formula}")
    assert told[1]
    assert caught.value.status == 1

"""Formulas as MathML, which browsers draw by themselves: no script, no font to bring along."""

from __future__ import annotations

from html import unescape
from xml.etree.ElementTree import tostring

from latex2mathml.converter import convert_to_element

from analysis.theory.reading import BrokenFormula, one_line


def mathml(formula: str, *, display: bool) -> str:
    """As an element `math`.

    Args:
        formula: in LaTeX.
        display: on lines of its own: limits stand above and below sums, fractions are large.

    Raises:
        BrokenFormula: with the formula.
    """
    try:
        tree = convert_to_element(one_line(formula), display="block" if display else "inline")
    except Exception as error:  # any, as its parser trips over a formula in many ways
        raise BrokenFormula(formula, error) from None
    for element in tree.iter():
        if "\\" in (element.text or ""):
            raise BrokenFormula(formula, f"{element.text} is not known")
        element.text = unescape(element.text or "")  # it writes letters as their numbers
    return tostring(tree, encoding="unicode")

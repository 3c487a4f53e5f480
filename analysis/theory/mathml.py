"""Formulas as MathML, which browsers draw by themselves: no script, no font to bring along.

latex2mathml gives the structure. MathML spaces operators by a dictionary of its own, which knows
nothing of TeX's rules; where the two differ, the spaces are put right here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import unescape
from itertools import pairwise
from xml.etree.ElementTree import Element, tostring

from latex2mathml.converter import convert_to_element

from analysis.theory.reading import BrokenFormula, one_line

THIN = "0.1667em"
OPEN, CLOSE = set("([{"), set(")]}")
SIGNS = set("+\N{MINUS SIGN}")
# Letters to TeX and operators to MathML, and the other way round.
ORDINARY = set("/\N{INFINITY}\N{NABLA}\N{PARTIAL DIFFERENTIAL}")
APART = {";": ";", "~": "\N{TILDE OPERATOR}"}
TIGHT = set("|\N{DOUBLE VERTICAL LINE}.")  # no space: bars may open or close, a point ends
PRIMES = set("\N{PRIME}\N{DOUBLE PRIME}")
BELOW = ("inf", "lim", "max", "min", "sup")  # what has its condition below it, where there is room
ROWS = ("mrow", "math", "mstyle", "msqrt")  # elsewhere what an element means hangs on its place
SCRIPTS = ("msub", "msup", "msubsup", "munder", "mover", "munderover")


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
    _space(tree)
    for element in tree.iter("msub") if display else ():
        if element[0].text in BELOW:
            element.tag = "munder"
    return tostring(tree, encoding="unicode")


def _space(row: Element) -> None:
    """Put the spaces right, in all that the element holds."""
    for child in row:
        _space(child)
    _join(row)
    for element in list(row):
        _class(element)
        if row.tag in ROWS:
            _lower_prime(row, element)
    if row.tag == "mrow" and len(row) == 1 and row[0].tag == "mo":
        row[0].attrib.update(lspace="0", rspace="0")  # what braces around a sign mean
    if row.tag not in ROWS:
        return
    for before, sign in pairwise([None, *row]):
        first = before is None or before.tag == "mspace" or _is_sign(before)
        if first and sign is not None and sign.tag == "mo" and sign.text in SIGNS:
            sign.set("form", "prefix")  # of a number, not between two
    for at in range(len(row) - 1, -1, -1):
        if not _is_function(row[at]):
            continue
        if at + 1 < len(row) and not _is_sign(row[at + 1]) and not _opens(row[at + 1]):
            row.insert(at + 1, Element("mspace", width=THIN))
        if at and not _is_sign(row[at - 1]) and not _opens(row[at - 1]):
            row.insert(at, Element("mspace", width=THIN))


def _join(row: Element) -> None:
    """`\\mathrm{KL}` comes letter by letter; it is one word."""
    letters: Sequence[Element] = [e for e in row if e.get("mathvariant") == "normal"]
    if row.tag == "mrow" and 1 < len(letters) == len(row):
        letters[0].text = "".join(letter.text or "" for letter in letters)
        del letters[0].attrib["mathvariant"]  # longer names are upright anyway
        for letter in letters[1:]:
            row.remove(letter)


def _lower_prime(row: Element, element: Element) -> None:
    """A prime is drawn high and small by itself; as a script it would be so twice."""
    if element.tag in ("msup", "msubsup") and element[-1].text in PRIMES:
        prime = element[-1]
        element.remove(prime)
        place = list(row).index(element)
        if element.tag == "msubsup":
            element.tag = "msub"
        else:
            row[place] = element[0]
        row.insert(place + 1, prime)


def _class(element: Element) -> None:
    text = element.text or ""
    if element.tag == "mo" and ((len(text) > 1 and text.isalpha()) or text in ORDINARY):
        element.tag = "mi"
        if len(text) == 1:
            element.set("mathvariant", "normal")
    elif element.tag == "mo" and text in TIGHT:
        element.tag = "mi"
    elif element.tag == "mi" and text in APART:
        element.tag, element.text = "mo", APART[text]


def _core(element: Element) -> Element:
    """The base of scripts, or of braces."""
    while element.tag in SCRIPTS or (element.tag == "mrow" and len(element) == 1):
        element = element[0]
    return element


def _is_function(element: Element) -> bool:
    core = _core(element)
    return core.tag == "mi" and len(core.text or "") > 1


def _is_sign(element: Element) -> bool:
    """Whether it is an operator, with spaces of its own."""
    core = _core(element)
    return core.tag in ("mo", "mspace") and core.text not in OPEN | CLOSE


def _opens(element: Element) -> bool:
    return _core(element).text in OPEN

"""The tables of docs/results/README.md and of the README, made from the published entries.

A table stands between `<!-- results: NAME -->` and `<!-- results end -->`; nobody edits it by hand.
What else a page says is written by people.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from analysis.publication.entries import Published
from analysis.publication.tables import TABLES
from analysis.writers.files import write_whole
from search.errors import FAILED, UserError

STAND_IN = "**Stand-in data, not a result.**\n\n"
MARKED = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- results end -->)", re.DOTALL)


def fill(text: str, found: Published) -> str:
    """The page with each of its tables made anew.

    Raises:
        UserError: the page asks for a table that there is not.
    """

    def made(match: re.Match[str]) -> str:
        if match[2] not in TABLES:
            raise UserError(
                f"<!-- results: {match[2]} -->: no such table\nthere are: {', '.join(TABLES)}",
                status=FAILED,
            )
        return f"{match[1]}{STAND_IN * found.mini}{TABLES[match[2]](found)}{match[3]}"

    return MARKED.sub(made, text)


def refresh(pages: Sequence[Path], found: Published, *, write: bool = True) -> list[Path]:
    """Those of the pages whose tables were not what the entries say; `write` mends them."""
    stale = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        filled = fill(text, found)
        if filled != text:
            stale.append(page)
            if write:
                write_whole(page, filled.encode())
    return stale

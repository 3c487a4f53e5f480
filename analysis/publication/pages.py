"""The tables of docs/results/README.md and of the README, made from the published entries.

A table stands between `<!-- results: NAME -->` and `<!-- results end -->`; nobody edits it by hand.
People write all else on a page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from analysis.publication.entries import Published
from analysis.publication.tables import TABLES
from search.errors import Failure
from search.files import durable

STAND_IN = "**Stand-in data, not a result.**\n\n"
MARKED = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- results end -->)", re.DOTALL)


def fill(text: str, published: Published) -> str:
    """The page with each of its tables made again.

    Raises:
        UserError: the page asks for a table that does not exist.
    """

    measured = published.of_one_protocol()

    def refill(match: re.Match[str]) -> str:
        if match[2] not in TABLES:
            raise Failure(
                f"<!-- results: {match[2]} -->: no such table\nthere are: {', '.join(TABLES)}"
            )
        return f"{match[1]}{STAND_IN * published.mini}{TABLES[match[2]](measured)}{match[3]}"

    return MARKED.sub(refill, text)


def refresh(pages: Sequence[Path], published: Published, *, write: bool = True) -> list[Path]:
    """The pages whose tables were not what the entries say; `write` fixes them."""
    stale = []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        filled = fill(text, published)
        if filled != text:
            stale.append(page)
            if write:
                durable.write(page, filled.encode())
    return stale

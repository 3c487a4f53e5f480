"""The literature that pipelines and report cite, with addresses: a row each in references.csv."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A publication.

    Attributes:
        cited: as the text cites it, `Chen et al., 2020`.
        authors, title, where: as in a bibliography.
        address: of the publication or its preprint.
        used: what for; such a reference stands in every report.
    """

    cited: str
    authors: str
    title: str
    where: str
    address: str
    used: str

    def text(self) -> str:
        """One entry, with the document's marks."""
        used = f" Used for: {self.used}." if self.used else ""
        year = self.cited[-4:]
        return f"{self.authors} ({year}). [{self.title}]({self.address}). {self.where}.{used}"


with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
    REFERENCES = tuple(Reference(**row) for row in csv.DictReader(file))
CITATION = re.compile(
    r"((?:van der )?[A-Z][\w-]+(?: et al\.| and (?:van der )?[A-Z][\w-]+)?),? \(?(\d{4})\)?"
)


def cited_in(text: str) -> set[str]:
    """The citations in a text, as `Chen et al., 2020`."""
    return {f"{names}, {year}" for names, year in CITATION.findall(" ".join(text.split()))}


def needed(texts: Iterable[str]) -> tuple[Reference, ...]:
    """The references that every report cites and those that these texts cite, by author."""
    cited: set[str] = set().union(*(cited_in(text) for text in texts))
    return tuple(one for one in REFERENCES if one.used or one.cited in cited)

"""Tables stand between their marks; what people wrote stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.publication import entries, pages, tables
from analysis.publication.entries import Published
from search.errors import UserError

PAGE = "Before.\n<!-- results: headline -->\nold\n<!-- results end -->\nAfter.\n"
ROOT = Path(__file__).resolve().parents[3]


def test_what_is_between_the_marks_is_made_anew(published_folder: Path) -> None:
    page = published_folder / "page.md"
    page.write_text(PAGE)
    found = entries.read(published_folder)
    assert pages.refresh([page], found, write=False) == [page]
    assert page.read_text() == PAGE, "only looked at"
    assert pages.refresh([page], found) == [page]
    text = page.read_text()
    assert text.startswith("Before.\n<!-- results: headline -->\n**Stand-in data")
    assert text.endswith("<!-- results end -->\nAfter.\n") and "old" not in text
    assert tables.headline(found) in text
    assert pages.refresh([page], found) == []


def test_a_table_that_there_is_not() -> None:
    with pytest.raises(UserError, match="no such table\nthere are: headline"):
        pages.fill(PAGE.replace("headline", "headlines"), Published(searches={}, finals={}))


def test_the_pages_of_this_repository_are_what_the_published_entries_say() -> None:
    found = entries.read(ROOT / "docs" / "results")
    shown = [ROOT / "docs" / "results" / "README.md", ROOT / "README.md"]
    assert pages.refresh(shown, found, write=False) == []
    assert not found.mini, "stand-in data are not published"

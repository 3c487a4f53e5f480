"""Published entries made of the handmade findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.publication import entries
from analysis.records import Findings


@pytest.fixture
def published_folder(findings: Findings, tmp_path: Path) -> Path:
    """A folder with a search and final numbers of each of the six."""
    for record in findings.records.values():
        for study in record.studies:
            entries.keep(tmp_path, entries.search_entry(record, study))
        entries.keep(tmp_path, entries.final_entry(record))
    return tmp_path

"""Published entries made of the handmade findings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.publication import entries
from analysis.publication.entries import Final, Search
from analysis.records import Findings


@pytest.fixture
def published_folder(findings: Findings, tmp_path: Path) -> Path:
    """A folder with a search and final numbers of each of the six."""
    for record in findings.records.values():
        for study in record.studies:
            entries.keep(tmp_path, Search.of(record, study))
        entries.keep(tmp_path, Final.of(record))
    return tmp_path


def with_rows(final: Final, *rows: dict[str, Any], run: str = "") -> Final:
    """The same with other rows, of another run."""
    return replace(final, run=run or final.run, result={**final.result, "rows": list(rows)})


def lower(row: dict[str, Any], by: float) -> dict[str, Any]:
    """A row whose numbers are so much lower."""
    metrics = {name: [value - by for value in values] for name, values in row["metrics"].items()}
    return {**row, "metrics": metrics}

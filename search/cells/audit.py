"""The trained cells of a folder, compared with the hashes that were made when they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from search.cells.cell import TEST_METRICS, TEST_OUTPUTS, damaged_test, damaged_training
from search.tracking.audit import FINALS, ConsistencyCheck, Fix, Inconsistency


def damaged_cells(check: ConsistencyCheck) -> Iterator[Inconsistency]:
    """Cells of reruns and sweeps with a file that is missing or damaged.

    To fix one, the files that cannot be believed are moved to the trash: the rerun or sweep that
    needs them makes them again.
    """
    if FINALS in check.busy:
        return
    for folder in sorted((check.home / "finals").glob("[0-9a-f]" * 12)):
        file, fix = damaged_training(folder), _take_away(check, folder)
        if file is None and (folder / TEST_METRICS).exists():
            file = damaged_test(folder)
            fix = _take_away(check, folder / TEST_METRICS, folder / TEST_OUTPUTS)
        if file:
            what = f"{file} of cell {folder.name} is missing or damaged: rerun or sweep again"
            yield Inconsistency(FINALS, "disk", what, fix)


def _take_away(check: ConsistencyCheck, *paths: Path) -> Fix:
    def take_away() -> None:
        for path in filter(Path.exists, paths):
            check.take_away(path)

    return take_away

"""What a report is made of."""

from __future__ import annotations

import pytest

from analysis.document import Table, shown


def test_a_row_has_as_many_cells_as_there_are_columns() -> None:
    with pytest.raises(ValueError, match="t: 1 cells, 2 columns"):
        Table(name="t", title="", caption="", columns=("a", "b"), rows=((1, 2), (3,)))


def test_cells_as_shown() -> None:
    cells = (None, 0.98765, 7, "a ± b", 0)
    assert [shown(cell) for cell in cells] == ["", "0.9877", "7", "a ± b", "0"]

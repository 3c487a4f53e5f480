"""What a report is made of."""

from __future__ import annotations

import pytest

from analysis import style
from analysis.document import Document, Figure, Paragraph, Section, Table, shown


def table(name: str, *rows: tuple[object, ...]) -> Table:
    return Table(name=name, title="", caption="", columns=("a", "b"), rows=rows)  # type: ignore[arg-type]


def figure(name: str) -> Figure:
    return Figure(name=name, title="", caption="", draw=lambda: style.axes()[0])


def test_a_row_has_as_many_cells_as_there_are_columns() -> None:
    with pytest.raises(ValueError, match="t: 1 cells, 2 columns"):
        table("t", (1, 2), (3,))


def test_figures_and_tables_come_in_the_documents_order() -> None:
    first = Section(id="a", title="A", blocks=(figure("x"), Paragraph("."), table("s")))
    second = Section(id="b", title="B", blocks=(table("t"), figure("y")))
    document = Document(title="", subtitle="", notices=(), sections=(first, second))
    assert [one.name for one in document.figures] == ["x", "y"]
    assert [one.name for one in document.tables] == ["s", "t"]


@pytest.mark.parametrize(
    ("cell", "text"), [(None, ""), (0.98765, "0.9877"), (7, "7"), ("a ± b", "a ± b"), (0, "0")]
)
def test_a_cell_as_shown(cell: object, text: str) -> None:
    assert shown(cell) == text  # type: ignore[arg-type]

"""The tour is run from its first cell to its last, in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.stores import prepare

TOUR = Path(__file__).resolve().parents[2] / "examples" / "tour.ipynb"


@pytest.mark.slow
def test_every_cell_runs_and_the_latents_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):  # else they are made in the user's home
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    tour = nbformat.read(TOUR, as_version=4)
    resources = {"metadata": {"path": str(prepare(tmp_path))}}
    NotebookClient(tour, timeout=600, kernel_name="python3", resources=resources).execute()
    outputs = [out for cell in tour.cells for out in cell.get("outputs", ())]
    assert [out for out in outputs if out.output_type == "error"] == []
    pages = [out.data["text/html"] for out in outputs if "text/html" in out.get("data", {})]
    texts = {name: _texts(outputs, name) for name in ("stdout", "stderr")}
    assert "4 of 4 trials" in texts["stdout"], "the search ended"
    assert texts["stderr"] == "", "neither Ray nor tqdm asks for widgets"
    live = [page for page in pages if "4/4" in page and "best" in page]
    assert live, "the table that is drawn in place, as it was at its end"
    [trials] = [page for page in pages if "dataframe" in page]
    assert "params_lr" in trials and "value" in trials
    [picture] = [out.data["image/png"] for out in outputs if "image/png" in out.get("data", {})]
    assert len(picture) > 10_000


def _texts(outputs: list[nbformat.NotebookNode], name: str) -> str:
    return "".join(out.text for out in outputs if out.get("name") == name)


def test_it_is_kept_without_outputs() -> None:
    tour = nbformat.read(TOUR, as_version=4)
    nbformat.validate(tour)
    assert [cell.outputs for cell in tour.cells if cell.get("outputs")] == []

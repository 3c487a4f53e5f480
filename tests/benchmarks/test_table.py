"""The pages say what the kept figures say, and a table is made of whatever is measured."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.machine import RESULTS


def test_the_pages_are_what_the_figures_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.main(["--check"]) == 0, capsys.readouterr().out


def test_every_table_stands_in_a_page() -> None:
    text = (table.ROOT / table.PAGE).read_text()
    assert {name for _, name, _ in table.MARKED.findall(text)} == set(table.TABLES)


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """(program, figures) -> the tables are made with these in place of what it measured."""

    def change(program: str, **values: object) -> None:
        shutil.copytree(RESULTS, tmp_path, dirs_exist_ok=True)
        file = tmp_path / f"{program}.json"
        kept = json.loads(file.read_text())
        file.write_text(json.dumps({**kept, "figures": {**kept["figures"], **values}}))
        monkeypatch.setattr(table, "RESULTS", tmp_path)

    return change


def test_another_figure_is_another_page(
    changed: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    changed("orchestration", help=7.0)
    assert "| 4: `--help` | 0.3 s | 7 s | not met |" in table.goals()
    assert table.main(["--check"]) == 1
    assert "docs/speed.md; run" in capsys.readouterr().out, "the chart has no such figure"


def test_the_chart_is_of_the_figures(changed: Callable[..., None]) -> None:
    before = table.chart().splitlines()
    changed("peers", optuna={"optuna": 10.0, "ours": 4.0})
    new = set(table.chart().splitlines()) - set(before)
    assert len(new) == 2 and f">2.5 {table.TIMES}<" in "".join(new), "a bar and its number"


def test_what_stands_around_a_table_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(table.TABLES, "peers", lambda: "| new |\n")
    page = "before\n<!-- speed: peers -->\n| old |\n<!-- speed end -->\nafter\n"
    assert table.fill(page) == page.replace("old", "new")


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(2.0, 3.0, "met"), (1.0, 2.0, "in part"), (1.0, 1.9, "not met")]
)
def test_a_range_is_judged_by_its_worst(low: float, high: float, verdict: str) -> None:
    assert table._row("goal", 2, [high, low], 1)[-1] == verdict


def test_a_first_gpu_has_a_table_and_what_failed_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    assert table.gpu() == "Not yet run on a GPU.\n"
    name = "cifar_supervised"
    lines = [
        {"stage": "speed", "what": f"{name} bfloat16", "epoch_seconds": 0.774},
        {"stage": "speed", "what": f"{name} bfloat16, recorded", "epoch_seconds": 0.31},
        {"stage": "packing", "what": "8 streams, recorded", "steps_a_second": 2345.6},
    ]
    file = tmp_path / "gpu_first_run.json"
    file.write_text(json.dumps({"figures": {"lines": lines}}))
    said = table.gpu()
    assert "| `cifar_supervised`, seconds an epoch | 0.77 | 0.31 |" in said
    assert "| 8 streams, steps a second |  | 2,346 |" in said and "looked at holds" in said
    lines.append({"stage": "oracle", "what": "mnist_vae bfloat16", "FAILED": True})
    file.write_text(json.dumps({"figures": {"lines": lines}}))
    assert table.gpu().endswith("Does not hold: oracle: mnist_vae bfloat16.\n")


def test_real_searches_have_a_table_once_there_are_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    assert table.real() == "Not yet measured.\n"
    one = {"plain": [0.7, 0.71], "ours": [0.72, 0.7], "plain_ended": [4, 5], "ours_ended": [9, 8]}
    figures = {"pipelines": {"cifar_supervised": {**one, "as_good_after": [90.0, float("nan")]}}}
    (tmp_path / "real_searches.json").write_text(json.dumps({"figures": figures}))
    row = "| `cifar_supervised` | 70.00, 71.00 | 72.00, 70.00 | 4, 5 | 9, 8 | 1.5, - |"
    assert row in table.real().splitlines()

"""The tables say what the entries hold, and that what is not there was not measured."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from analysis import result_rows
from analysis.publication import entries, tables
from analysis.publication.entries import Published
from analysis.records import SIX
from search.finals.comparisons import RIGHT
from tests.analysis.publication.conftest import lower, with_rows
from trainers.protocol import VERSION

Change = Callable[..., Published]
NOTHING = Published(searches={}, finals={})


def lines(text: str) -> dict[str, list[list[str]]]:
    """Pipeline -> the cells of its rows."""
    found: dict[str, list[list[str]]] = {}
    for line in text.partition("\n\n")[0].splitlines()[2:]:
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found.setdefault(name.strip("`"), []).append(cells)
    return found


@pytest.fixture
def found(published_folder: Path) -> Published:
    return entries.read(published_folder)


@pytest.fixture
def changed(published_folder: Path) -> Change:
    """(pipeline, fields) -> all entries with this one's results changed."""

    def change(name: str, **fields: Any) -> Published:
        [final] = entries.read(published_folder).finals[name]
        entries.keep(published_folder, replace(final, result={**final.result, **fields}))
        return entries.read(published_folder)

    return change


@pytest.mark.parametrize("make", tables.TABLES.values(), ids=list(tables.TABLES))
def test_every_table_is_whole_with_entries_and_without(make: Any, found: Published) -> None:
    for published in (found, NOTHING):
        text = make(published)
        assert text.endswith("\n")
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len({row.count("|") for row in rows}) <= 1, "as many cells in every row"


def test_the_headline(found: Published) -> None:
    assert f"Protocol {VERSION}." in tables.headline(found)
    rows = lines(tables.headline(found))
    assert tuple(rows) == SIX
    [[*made, classifier, linear, nearest, defaults, drawn, ablation, mae, pca]] = rows[
        "cifar_contrastive"
    ]
    assert made == ["no", "3", "98,000", "3 x 9", "71"]
    assert defaults.startswith("67.5") and ablation.startswith("63.8")
    assert (drawn, mae, pca) == ("-", "-", "-")
    for measure, tested in ((classifier, "68.8"), (linear, "65.8"), (nearest, "66.8")):
        train, valid, test = measure.split(" / ")
        assert float(train) > 60 and float(valid) > 60
        assert test.startswith(f"**{tested}") and "±" in test
    assert rows["cifar_autoencoder"][0][-3:] == ["-", "0.0415", "0.0415"]
    assert rows["cifar_supervised"][0][0] == "yes"


def test_the_baselines_are_measured_likewise_and_the_shared_ones_stand_once(
    found: Published,
) -> None:
    text = tables.baselines(found)
    assert text.count("| PCA |") == text.count("| raw pixels |") == 2
    [ablation] = [row for row in text.splitlines() if row.startswith("| `cifar_contrastive` | abl")]
    assert "**63.8" in ablation and "**60.8" in ablation
    assert not [row for row in text.splitlines() if row.startswith("| `cifar_autoencoder` | abl")]


def test_what_was_promised_and_kept(found: Published, changed: Change) -> None:
    [row] = lines(tables.optimism(found))["cifar_contrastive"]
    _, valid, test, gap, readings = row
    assert float(gap) == pytest.approx(float(valid) - float(test), abs=0.011)
    assert readings == ""
    counted = changed("cifar_contrastive", readings={"1": 3, str(VERSION): 24})
    assert lines(tables.optimism(counted))["cifar_contrastive"][0][-1] == "24"


def test_a_table_holds_rows_of_the_newest_protocol_only(
    found: Published, changed: Change, published_folder: Path
) -> None:
    """Lower numbers of today's go first: the others may be higher for no other reason."""
    earlier = changed("cifar_supervised", protocol=1).of_one_protocol()
    assert earlier.earlier == ("cifar_supervised",)
    assert tables.headline(earlier).endswith("in no table: `cifar_supervised`.\n")
    for table in (tables.headline, tables.baselines, tables.others, tables.depths):
        its = [line for line in table(earlier).splitlines() if "cifar_supervised" in line]
        its = [line for line in its if line.startswith("|") and "](https://" not in line]
        assert not re.search(r"\d\d\.\d\d", " ".join(its)), its
    [final] = found.finals["cifar_supervised"]
    todays = with_rows(final, lower(final.champion, 0.1), run="today's")
    entries.keep(published_folder, todays)
    both = entries.read(published_folder)
    best = both.champion("cifar_supervised")
    assert best is not None and best.run == "today's"
    assert both.of_one_protocol().earlier == ()


def test_searches_tell_their_budget(found: Published) -> None:
    [row] = lines(tables.searches(found))["mnist_autoencoder"]
    trials = found.searches["mnist_autoencoder"][0].study.trials
    assert row[0] == str(len(trials))
    assert row[4] == str(sum(len(trial.loss) for trial in trials))
    assert row[6] == "11", "640 seconds"


def test_others_and_depths_and_verdicts(found: Published, changed: Change) -> None:
    ours = lines(tables.others(found))
    assert len(lines(tables.others(NOTHING))) == 6 < len(ours) == 12
    [alone], [jointly] = ours["**cifar_contrastive**"], ours["**cifar_supervised**"]
    assert alone[2].startswith("**65.8") and alone[3].startswith("**68.8") and alone[5] == "-"
    assert jointly[5].startswith("**86.1") and jointly[3] == "-"
    for cells in (row for name, rows in ours.items() if "*" not in name for row in rows):
        assert "](https://" in cells[-1] and any(cell != "-" for cell in cells[2:6])
    [row] = lines(tables.depths(found))["cifar_supervised"]
    assert row[0] == row[3] and row[1:3] == ["4", "98,000"] and row[4:6] == ["3", "4"]
    [final] = found.finals["cifar_supervised"]
    first, *others = final.result["rows"]
    deeper = {**first, "params": {**first["params"], "depth": 6, "width": 64}}
    defaults = next(row for row in others if row["name"] == "defaults")
    shallow = {**defaults, "params": {**defaults["params"], "depth": 3, "width": 32}}
    beside = changed("cifar_supervised", rows=[deeper, shallow])
    [row] = lines(tables.depths(beside))["cifar_supervised"]
    assert row[:2] == [result_rows.with_interval(shallow, "test/accuracy"), "32"]
    assert row[3:6] == [result_rows.with_interval(deeper, "test/accuracy"), "6", "64"]
    assert tables.verdicts(found).count("\n- ") + 1 == 8, "four on each data set"


def test_verdicts_are_of_the_champion_not_of_a_later_rerun(
    found: Published, published_folder: Path
) -> None:
    [final] = found.finals["cifar_contrastive"]
    later = {**lower(final.champion, 0.1), "epochs": 2, RIGHT: None}
    entries.keep(published_folder, with_rows(final, later, run="later"))
    assert tables.verdicts(entries.read(published_folder)) == tables.verdicts(found)


def test_the_order_of_a_short_search(changed: Change, found: Published) -> None:
    assert tables.carrying(found) == "not measured\n"
    [final] = found.finals["mnist_supervised"]
    first = final.champion
    rows = [
        {**first, "promised": k / 10, "metrics": {**first["metrics"], "valid/accuracy": [k / 20]}}
        for k in (4, 3, 2, 1)
    ]
    text = tables.carrying(changed("mnist_supervised", rows=rows))
    assert lines(text) == {"mnist_supervised": [["4", "9", "+1.00", "0.0417"]]}


def test_all_commands_are_there_each_once(found: Published) -> None:
    called = tables.commands(found).splitlines()[1:-1]
    assert len(called) == len(set(called)) == 6 + 6 + 1


HOSTILE = "a|b <script>alert(1)</script>\n\n# [x](javascript:y) `c` **d** &lt; \\"


def test_what_came_from_a_run_is_words_and_nothing_else(published_folder: Path) -> None:
    for file in published_folder.rglob("*-*.json"):
        entry = json.loads(file.read_text())
        entry |= {"command": f"python x.py\n```\n{HOSTILE}"}
        (entry["study"]["tags"] if "study" in entry else entry["info"])["machine"] = HOSTILE
        file.write_text(json.dumps(entry))
    found = entries.read(published_folder)
    parser = MarkdownIt("commonmark").enable("table")
    for name, make in tables.TABLES.items():
        said = make(found)
        if name == "commands":
            assert said.count("\n```\n") == 1, "the end of the block alone"
            continue
        ours = "\n".join(line for line in said.splitlines() if "](https://" not in line)
        html = parser.render(ours)
        for evil in ("<script", "<a ", "<h1", "javascript:y)<", "<code>c<", "<strong>d"):
            assert evil not in html, name
        counts = {row.count("|") for row in said.splitlines() if row.startswith("|")}
        assert len(counts) <= 1, name
    assert "&lt;script&gt;" in parser.render(tables.searches(found))


def test_plain_words_are_published_as_they_are() -> None:
    for plain in ("AMD EPYC 7B13, 2 CPUs", "p < 0.05 & n > 3", "98.2 ± 0.3 (95 %)", "snake_case"):
        assert tables.escape(plain) == plain

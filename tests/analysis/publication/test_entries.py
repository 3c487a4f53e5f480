"""What is published says what MLflow holds, and can be read and trained again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.publication import entries
from analysis.publication.entries import Published
from analysis.records import Findings
from search.errors import UserError
from search.finals.candidates import read_config
from search.spaces.pipeline import load_pipeline

NAME = "cifar_contrastive"


def test_every_entry_is_a_file_of_its_own_and_is_found_again(
    findings: Findings, published_folder: Path
) -> None:
    found = entries.read(published_folder)
    assert set(found.searches) == set(found.finals) == set(findings.records)
    record = findings.records[NAME]
    [study] = record.studies
    [search], [final] = found.searches[NAME], found.finals[NAME]
    assert search == json.loads(json.dumps(entries.search_entry(record, study)))
    assert final == json.loads(json.dumps(entries.final_entry(record)))
    assert [trial["state"] for trial in search["trials"]] == [t.state for t in study.trials]
    best = study.complete[0]
    assert search["best"] == {"number": best.number, "value": best.value}
    assert search["command"].startswith(f"python search/tune.py --pipeline {NAME}")
    assert final["command"].startswith(f"python search/rerun.py --pipeline {NAME}")
    assert found.mini, "the findings are of stand-in data"
    users = replace(study, tags={**study.tags, "mlflow.user": "me"})
    kept = entries.search_entry(record, users)["record"]
    assert kept["tags"] == study.tags and kept["trials"][0]["loss"] == study.trials[0].loss


def test_the_champion_is_the_best_by_validation_not_by_test(
    findings: Findings, published_folder: Path
) -> None:
    record = findings.records[NAME]
    result = record.result or {}
    first = result["rows"][0]
    metrics = {**lower(first, 0.01), "test/accuracy": [0.999] * 3}
    four = {**first, "metrics": metrics, "params": {**first["params"], "depth": 4}}
    worse = replace(record, run_id="another run", result={**result, "rows": [four]})
    entries.keep(published_folder, entries.final_entry(worse))
    found = entries.read(published_folder)
    assert len(found.finals[NAME]) == 2
    best, deep = found.champion(NAME), found.champion(NAME, depth=4)
    assert best is not None and best["run"] == record.run_id
    assert deep is not None and deep["run"] == "another run"
    assert found.champion(NAME, depth=5) is None
    assert found.champion("mnist_vae") is None


def lower(row: dict[str, Any], by: float) -> dict[str, list[float]]:
    """Its metrics, so much lower."""
    return {name: [value - by for value in values] for name, values in row["metrics"].items()}


def test_a_single_seed_hides_no_mean_of_several(findings: Findings, published_folder: Path) -> None:
    record = findings.records[NAME]
    final = entries.final_entry(record)
    row = entries.champion(final)
    lucky = {key: [values[0] + 0.01] for key, values in row["metrics"].items()}
    alone = {**row, "params": {**row["params"], "width": 8}, "metrics": lucky}
    entries.keep(published_folder, {**final, "run": "lucky", "rows": [alone]})
    found = entries.read(published_folder)
    best = found.champion(NAME)
    assert best is not None and best["run"] == record.run_id
    assert found.rows(NAME)[0][1]["params"] == row["params"]
    assert found.rows(NAME)[-1][1]["params"]["width"] == 8


def test_of_equal_configurations_the_latest_counts(
    findings: Findings, published_folder: Path
) -> None:
    """It may have more seeds, and a lower mean."""
    final = entries.final_entry(findings.records[NAME])
    for run, made, less in (("a", "2026-01-03", 0.02), ("b", "2026-01-02", 0.01)):
        row = entries.champion(final)
        worse = {**row, "metrics": lower(row, less)}
        entries.keep(published_folder, {**final, "run": run, "made": made, "rows": [worse]})
    [file] = (published_folder / NAME).glob("final-run-of*.json")
    file.write_text(json.dumps({**final, "made": "2026-01-01"}))
    found = entries.read(published_folder)
    best = found.champion(NAME)
    assert len(found.finals[NAME]) == 3
    assert best is not None and best["run"] == "a"


@pytest.mark.parametrize("run", ["before", "zzz"], ids=["its file first", "its file last"])
def test_more_seeds_of_a_configuration_outrank_the_first_of_them(
    run: str, findings: Findings, published_folder: Path
) -> None:
    """Their first one was trained when it was, and is not trained again."""
    final = entries.final_entry(findings.records[NAME])
    row = entries.champion(final)
    high = {key: [values[0] + 0.01] for key, values in row["metrics"].items()}
    first = {**row, "seeds": row["seeds"][:1], "metrics": high}
    entries.keep(published_folder, {**final, "run": run, "rows": [first]})
    best = entries.read(published_folder).champion(NAME)
    assert best is not None and best["run"] == final["run"]


def test_one_training_is_counted_with_its_measurements(published_folder: Path) -> None:
    [final] = entries.read(published_folder).finals[NAME]
    assert entries.seconds(final) == pytest.approx((61 + 64 + 59 + 9 + 11 + 10) / 3)


def test_a_configuration_is_one_that_rerun_takes(published_folder: Path, tmp_path: Path) -> None:
    found = entries.read(published_folder)
    [final], [search] = found.finals[NAME], found.searches[NAME]
    of_search = Published(searches=found.searches, finals={})
    for published, params in ((found, final["rows"][0]["params"]), (of_search, None)):
        made = published.configuration(NAME)
        assert made is not None and published.configuration(NAME, depth=3) == made
        file = entries.write_json(tmp_path / "best.json", made)
        taken = read_config(str(file), NAME, load_pipeline(NAME))
        best = search["trials"][search["best"]["number"]]["params"]
        assert (taken.params, taken.epochs) == (params or best, 9)
        assert published.configuration(NAME, depth=6) is None


def test_a_champion_trained_from_a_file_comes_from_the_trial_that_it_equals(
    published_folder: Path,
) -> None:
    found = entries.read(published_folder)
    [final], [search] = found.finals[NAME], found.searches[NAME]
    trial = search["trials"][1]
    for params, source in (
        ({**trial["params"], "lr": trial["params"]["lr"] * (1 + 1e-7)}, f"of {search['study']}"),
        ({**trial["params"], "a_later_choice": "none"}, f"trial {trial['number']} of"),
        ({**trial["params"], "lr": trial["params"]["lr"] * 1.01}, "some.json"),
    ):
        row = {**final["rows"][0], "params": params}
        of_file = {**final, "source": "some.json", "rows": [row]}
        made = Published(searches=found.searches, finals={NAME: (of_file,)}).configuration(NAME)
        assert made is not None and source in made["source"]


def test_of_so_many_layers_the_defaults_compete(published_folder: Path) -> None:
    found = entries.read(published_folder)
    [final] = found.finals[NAME]
    row, *others = final["rows"]
    deeper = {**row, "params": {**row["params"], "depth": 4}}
    finals = {NAME: ({**final, "rows": [deeper, *others]},)}
    made = Published(searches={}, finals=finals).configuration(NAME, depth=3)
    defaults = next(other for other in others if other["name"] == "defaults")
    assert made is not None and made["source"] == "defaults"
    assert (made["params"], made["epochs"]) == (defaults["params"], defaults["epochs"])
    rows = [{**row, "params": load_pipeline(NAME).defaults}]
    untuned = {**final, "source": "best.json", "rows": rows}
    made = Published(searches={}, finals={NAME: (untuned,)}).configuration(NAME)
    assert made is not None and made["source"] == "defaults"


def test_a_configuration_names_the_rerun_that_holds_it(published_folder: Path) -> None:
    """Of equal configurations the latest is the champion, but an earlier one may stand higher."""
    [final] = entries.read(published_folder).finals[NAME]
    row = {**final["rows"][0], "params": {**final["rows"][0]["params"], "lr": 0.0123}}
    first = {**final, "made": "2026-01-01", "source": "first.json", "rows": [row]}
    later = {**first, "made": "2026-01-02", "rows": [{**row, "metrics": lower(row, 0.1)}]}
    found = Published(searches={}, finals={NAME: (first, {**later, "source": "later.json"})})
    for depth, source in ((None, "later.json"), (3, "first.json")):
        made = found.configuration(NAME, depth=depth)
        assert made is not None and made["source"] == source


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", 10**5 * b"["])
def test_a_file_that_is_no_entry_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mnist_supervised").mkdir()
    file = tmp_path / "mnist_supervised" / "search-s.json"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        entries.read(tmp_path)
    assert str(caught.value).splitlines()[-1] == f"bring it back: git checkout -- {file}"

"""What is published says what MLflow holds, and is read as it was written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.publication import entries
from analysis.publication.entries import Final, Search
from analysis.records import Findings
from search.errors import UserError
from search.finals.comparisons import RIGHT, compare_champion
from tests.analysis.publication.conftest import lower, with_rows

NAME = "cifar_contrastive"


def champion_beside(folder: Path, *others: Final) -> str:
    """The run that holds the champion once these are published too."""
    for other in others:
        entries.keep(folder, other)
    best = entries.read(folder).champion(NAME)
    assert best is not None
    return best.run


def test_every_entry_is_a_file_of_its_own_and_is_read_as_it_was(
    findings: Findings, published_folder: Path
) -> None:
    found = entries.read(published_folder)
    assert set(found.searches) == set(found.finals) == set(findings.records)
    record = findings.records[NAME]
    [study] = record.studies
    [search], [final] = found.searches[NAME], found.finals[NAME]
    assert search == Search.of(record, study) and search.study == study
    assert final == Final.of(record)
    assert search.command.startswith(f"python search/tune.py --pipeline {NAME}")
    assert final.command.startswith(f"python search/rerun.py --pipeline {NAME}")
    assert found.mini, "the findings are of stand-in data"
    users = replace(study, tags={**study.tags, "mlflow.user": "me"})
    assert Search.of(record, users) == search


def test_the_champion_is_the_best_by_validation_not_by_test(published_folder: Path) -> None:
    [final] = entries.read(published_folder).finals[NAME]
    worse = lower(final.champion, 0.01)
    worse["metrics"]["test/accuracy"] = [0.999] * 3
    worse["params"] = {**worse["params"], "depth": 4}
    another = with_rows(final, worse, run="another run")
    assert champion_beside(published_folder, another) == final.run
    found = entries.read(published_folder)
    assert len(found.finals[NAME]) == 2
    assert found.rows(NAME, depth=4) == [worse] and found.rows(NAME, depth=5) == []
    assert found.champion("mnist_vae") is None


def test_a_single_seed_hides_no_mean_of_several(published_folder: Path) -> None:
    [final] = entries.read(published_folder).finals[NAME]
    row = final.champion
    lucky = {key: [values[0] + 0.01] for key, values in row["metrics"].items()}
    alone = {**row, "params": {**row["params"], "width": 8}, "metrics": lucky}
    assert champion_beside(published_folder, with_rows(final, alone, run="lucky")) == final.run
    rows = entries.read(published_folder).rows(NAME)
    assert rows[0]["params"] == row["params"] and rows[-1]["params"]["width"] == 8


def test_of_equal_configurations_the_latest_counts(published_folder: Path) -> None:
    """It may have more seeds, and a lower mean."""
    [final] = entries.read(published_folder).finals[NAME]
    worse = [
        replace(
            with_rows(final, lower(final.champion, less), run=run),
            info={**final.info, "made": made},
        )
        for run, made, less in (("a", "2126-01-03", 0.02), ("b", "2126-01-02", 0.01))
    ]
    assert champion_beside(published_folder, *worse) == "a"


@pytest.mark.parametrize("run", ["before", "zzz"], ids=["its file first", "its file last"])
def test_more_seeds_of_a_configuration_outrank_the_first_of_them(
    run: str, published_folder: Path
) -> None:
    """Their first one was trained when it was, and is not trained again."""
    [final] = entries.read(published_folder).finals[NAME]
    row = final.champion
    high = {key: [values[0] + 0.01] for key, values in row["metrics"].items()}
    first = {**row, "seeds": row["seeds"][:1], "metrics": high}
    assert champion_beside(published_folder, with_rows(final, first, run=run)) == final.run


def test_one_training_is_counted_with_its_measurements(published_folder: Path) -> None:
    [final] = entries.read(published_folder).finals[NAME]
    assert final.seconds == pytest.approx((61 + 64 + 59 + 9 + 11 + 10) / 3)


def test_champions_are_compared_whichever_store_they_are_from(published_folder: Path) -> None:
    """A better autoencoder, measured elsewhere and later, takes the earlier one's place."""
    found = entries.read(published_folder)
    [main], [other] = found.finals[NAME], found.finals["cifar_autoencoder"]
    assert found.comparisons(main) == main.result["comparisons"] != []
    assert found.comparisons(other) == []
    better = {**lower(other.champion, -0.01), RIGHT: main.champion[RIGHT]}
    better["params"] = {**better["params"], "width": 99}
    entries.keep(published_folder, with_rows(other, better, run="elsewhere"))
    told = {c["second"]: c for c in entries.read(published_folder).comparisons(main)}
    assert told["cifar_autoencoder"]["difference"]["mean"] == 0
    assert told["its ablation"]["difference"] == main.result["comparisons"][0]["difference"]
    alone = compare_champion(main.result, {"cifar_autoencoder": None})
    assert "cifar_autoencoder" in alone.missing
    assert alone.comparisons[0].second == "its ablation"


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", 10**5 * b"["])
def test_a_file_that_is_no_entry_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mnist_supervised").mkdir()
    file = tmp_path / "mnist_supervised" / "search-s.json"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        entries.read(tmp_path)
    assert str(caught.value).splitlines()[-1] == f"bring it back: git checkout -- {file}"

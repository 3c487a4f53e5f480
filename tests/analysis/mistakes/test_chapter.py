"""Mistakes: confusion matrices, probabilities, what is said and drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from analysis.document import Table
from analysis.mistakes.chapter import compose_surest, describe, section, together
from analysis.mistakes.confusion import Confusion, Surest, compute_confusion, compute_surest
from analysis.records import SIX, Findings, PipelineRecord
from analysis.sentences import count_as_text
from tests.analysis.blocks import check_drawn, figures, words

NAME = "mnist_autoencoder"
CLASSES = ("a", "b", "c")
COUNTS = np.array([[[90, 10, 0], [2, 98, 0], [0, 5, 45]], [[92, 8, 0], [4, 96, 0], [0, 5, 45]]])


def surest(labels: list[int], predicted: list[int], probability: list[float]) -> Surest:
    said, true, chances = np.array(predicted), np.array(labels), np.array(probability)
    wrong = np.flatnonzero(said != true)
    rows = wrong[np.argsort(-chances[wrong])]
    return Surest(labels=true, predicted=said, probability=chances, rows=rows)


# Confusion ---------------------------------------------------------------------------------------


def test_means_shares_and_accuracies_are_over_seeds() -> None:
    found = Confusion(counts=COUNTS, classes=CLASSES)
    assert found.seeds == 2
    assert found.mean[0].tolist() == [91, 9, 0]
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)
    assert found.shares[2].tolist() == [0, 0.1, 0.9]
    first, _, last = found.accuracies
    assert first is not None and last is not None
    # Two seeds: t has one degree of freedom, and the interval is 12.706 standard errors wide.
    assert (first.mean, first.n) == (pytest.approx(0.91), 2)
    assert first.high == pytest.approx(0.91 + 12.7062 * 0.01, abs=1e-4)
    assert (last.low, last.high) == (pytest.approx(0.9), pytest.approx(0.9))
    assert found.pairs == [(0, 1), (2, 1), (1, 0)]


def test_one_seed_has_no_interval_and_an_absent_class_no_accuracy() -> None:
    counts = COUNTS[:1].copy()
    counts[0, 2] = 0
    first, _, last = Confusion(counts=counts, classes=CLASSES).accuracies
    assert first is not None and first.low is None
    assert last is None
    assert Confusion(counts=counts, classes=CLASSES).shares[2].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (COUNTS[0], r"counts must be \(S, 3, 3\), not \(3, 3\)"),
        (COUNTS[:0], "one seed at least"),
        (-COUNTS, "not negative"),
        (np.stack([COUNTS[0], COUNTS[0] + 1]), "the seeds saw different images"),
    ],
)
def test_counts_that_cannot_be_are_refused(counts: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Confusion(counts=counts, classes=CLASSES)


def test_the_champions_own_matrices_are_taken(findings: Findings) -> None:
    record = findings.records[NAME]
    found = compute_confusion(record)
    expected = confusion_matrix(record.images.labels, record.predictions, labels=range(10))
    np.testing.assert_array_equal(found.counts, np.stack([expected] * 3))
    assert record.result is not None
    rows = [dict(row) for row in record.result["rows"]]
    other = (np.eye(10) * 7).astype(int).tolist()
    rows[0]["test"] = [{**one, "confusion": other} for one in rows[0]["test"]]
    changed = replace(record, result={**record.result, "rows": rows})
    assert compute_confusion(changed).mean.sum() == 70


def test_without_a_champion_predictions_are_counted(findings: Findings, unfinished: Any) -> None:
    record = unfinished(findings.records[NAME])
    found = compute_confusion(record)
    assert found.seeds == 1
    assert found.counts.sum() == len(record.images) == 80
    assert np.trace(found.mean) == (record.predictions == record.images.labels).sum()


# Probabilities -----------------------------------------------------------------------------------


def test_mistakes_come_by_falling_probability(findings: Findings) -> None:
    record = findings.records["cifar_autoencoder"]
    found = compute_surest(record)
    wrong = np.flatnonzero(record.predictions != record.images.labels)
    assert sorted(found.rows) == wrong.tolist()
    chances = np.exp(record.logits.astype(float))
    chances /= chances.sum(axis=1, keepdims=True)
    expected = sorted(chances.max(axis=1)[wrong], reverse=True)
    np.testing.assert_allclose(found.probability[found.rows], expected, rtol=1e-6)


# The section -------------------------------------------------------------------------------------


def test_the_section_has_its_parts(findings: Findings) -> None:
    made = section(findings)
    assert (made.id, made.title) == ("mistakes", "Errors")
    expected = {f"confusion_{name}" for name in SIX}
    assert set(figures(made)) == expected | {"surest_mistakes_mnist", "surest_mistakes_cifar"}
    [table, _] = [block for block in made.blocks if isinstance(block, Table)]
    assert table.columns == ("class", *SIX[:3])
    found = compute_confusion(findings.records[NAME]).accuracies[0]
    assert found is not None
    assert table.rows[0][:2] == ("0", f"{found.mean:.4f} ± 0.0000")
    for figure in figures(made).values():
        check_drawn(figure)


def test_pipelines_without_mistakes_have_no_pictures(findings: Findings) -> None:
    record = findings.records[NAME]
    perfect = surest([0, 1], [0, 1], [0.9, 0.8])
    assert compose_surest([record], [perfect]) is None
    some = compute_surest(record)
    made = compose_surest([record, record], [perfect, some])
    assert made is not None and len(made.rows) == 1


def test_what_is_missing_or_not_final_says_so(
    findings: Findings, only: Any, unfinished: Any
) -> None:
    record: PipelineRecord = unfinished(findings.records[NAME])
    made = section(only(findings, NAME, **{NAME: record}))
    assert set(figures(made)) == {f"confusion_{NAME}", "surest_mistakes_mnist"}
    for name in SIX:
        assert (f"tune.py --pipeline {name}" in words(made)) == (name != NAME)
    caption = figures(made)[f"confusion_{NAME}"].caption
    assert "one seed (80 validation images; not final: the best trial so far" in caption


# What is said ------------------------------------------------------------------------------------


def test_confusions_and_calibration_are_said(findings: Findings) -> None:
    sure = surest([0, 1, 1, 1], [0, 1, 1, 0], [0.95, 0.9, 0.8, 0.6])
    text = describe(findings.records[NAME], Confusion(counts=COUNTS, classes=CLASSES), sure)
    assert "most frequent are a taken for b, 9.0 % of its class; c taken for b, 10.0 %" in text
    assert "together 100 % of all 17 mistakes." in text
    assert "names is 0.813, and it is right on 0.750 of them" in text
    perfect = Confusion(counts=np.array([np.diag([5, 6, 7])]), classes=CLASSES)
    assert "the matrix shows none." in describe(findings.records[NAME], perfect, sure)


def test_mistakes_are_shared_or_not(findings: Findings, unfinished: Any) -> None:
    records = [findings.records[name] for name in SIX[:3]]
    labels, chance = [0] * 100, [0.5] * 100
    late = surest(labels, [0] * 80 + [1] * 20, chance)
    early = surest(labels, [1] * 20 + [0] * 80, chance)
    text = together(records, [late] * 3)
    assert text.startswith("All of autoencoder, supervised, contrastive are wrong on 20 of the 100")
    assert text.endswith("0.8 would be expected (binomial test, p < 0.0001).")
    assert "wrong on 0 of the 100" in together(records, [late, late, early])
    assert together([unfinished(records[0]), *records[1:]], [late] * 3) == "", "other images"
    assert together(records[:1], [late]) == ""


def test_counts_are_whole_where_they_are() -> None:
    counts = (0.02, 0.33, 0.97, 2.0, 2.5, 9.96, 31.4)
    assert [*map(count_as_text, counts)] == ["<0.1", "0.3", "1", "2", "2.5", "10", "31"]

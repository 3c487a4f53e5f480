"""What is said of mistakes, whichever way the numbers fall."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from analysis.mistakes.chapter import count_as_text
from analysis.mistakes.confusion import Confusion, Surest, compute_confusion, compute_surest
from analysis.mistakes.words import describe, together
from analysis.records import SIX, Findings
from tests.analysis.mistakes.made import CLASSES, COUNTS, surest

NAME = "mnist_autoencoder"


def said(findings: Findings, counts: np.ndarray, sure: Surest | None = None) -> str:
    sure = sure or surest([0, 1, 1, 1], [0, 1, 1, 0], [0.95, 0.9, 0.8, 0.6])
    return describe(findings.records[NAME], Confusion(counts=counts, classes=CLASSES), sure)


def test_the_most_confused_are_named(findings: Findings) -> None:
    text = said(findings, COUNTS)
    assert (
        "**MNIST autoencoder.** The most frequent confusions: a taken for b (9 images, 9.0 %"
        in text
    )
    assert "c taken for b (5 images, 10.0 % of its class)" in text
    assert "together 100 % of all 17 mistakes." in text
    assert "The hardest class is c (0.9000), the easiest b (0.9700)." in text


def test_a_frequent_confusion_goes_one_way_or_both(findings: Findings) -> None:
    one_way = np.array([[[80, 20, 0], [1, 99, 0], [0, 0, 9]]])
    assert "the first goes one way: b is taken for a in 1 image." in said(findings, one_way)
    never = np.array([[[80, 20, 0], [0, 99, 0], [0, 0, 9]]])
    assert "b is taken for a in no image." in said(findings, never)
    assert "The most frequent confusion is a taken for b" in said(findings, never)
    both = np.array([[[80, 20, 0], [12, 99, 0], [0, 0, 9]]])
    assert "a and b are confused both ways." in said(findings, both)
    few = np.array([[[98, 2, 0], [0, 99, 0], [0, 0, 9]]])
    assert "way" not in said(findings, few).split("The hardest")[0]


def test_no_mistakes_are_said(findings: Findings) -> None:
    perfect = surest([0, 1], [0, 1], [0.9, 0.8])
    text = said(findings, np.array([np.diag([5, 6, 7])]), perfect)
    assert "No image is classified wrongly." in text
    assert "All classes are classified equally well (1.0000)." in text
    assert "make no mistake" in text


def test_calibration_is_said_three_ways(findings: Findings) -> None:
    labels, predicted = [0, 1, 1, 1], [0, 1, 1, 0]
    high = said(findings, COUNTS, surest(labels, predicted, [0.99] * 4))
    assert "surer than it is right (0.990 against 0.750)" in high
    assert "1 of 1 mistakes have 0.9 or more" in high
    low = said(findings, COUNTS, surest(labels, predicted, [0.6] * 4))
    assert "less sure than it is right (0.600 against 0.750)" in low
    assert "0 of 1 mistakes have 0.9 or more" in low
    even = said(findings, COUNTS, surest(labels, predicted, [0.75] * 4))
    assert "as sure as it is right" in even


def test_the_temperature_of_joint_training_is_said(findings: Findings) -> None:
    def told(name: str, **params: float) -> str:
        record = findings.records[name]
        changed = replace(record, info={"params": {**record.info["params"], **params}})
        return describe(changed, compute_confusion(record), compute_surest(record))

    both = told("mnist_supervised", temperature=2.0, label_smoothing=0.1)
    assert "by a temperature of 2, left out here, and smoothed the labels by 0.1: that" in both
    assert "Its training smoothed the labels by 0.1" in told(
        "mnist_supervised", temperature=1.0, label_smoothing=0.1
    )
    assert "Its training" not in told("mnist_supervised", temperature=1.0, label_smoothing=0.0)
    for other in ("mnist_autoencoder", "mnist_contrastive"):
        assert "Its training" not in told(other, temperature=2.0)


def test_mistakes_are_shared_or_not(findings: Findings, unfinished: Any) -> None:
    records = [findings.records[name] for name in SIX[:3]]
    labels, right = [0] * 100, [0] * 100
    late, early = [0] * 80 + [1] * 20, [1] * 20 + [0] * 80
    chance = [0.5] * 100

    def told(*predictions: list[int]) -> str:
        return together(records, [surest(labels, said, chance) for said in predictions])

    assert "All 3 (autoencoder, supervised, contrastive) are wrong on 20" in told(late, late, late)
    assert "0.8 would be expected: some images are hard" in told(late, late, late)
    assert "0 of the 100 images" in told(right, late, late)
    assert told(right, late, late).endswith("no more and no fewer than chance allows.")
    half, other = [0] * 50 + [1] * 50, [1] * 50 + [0] * 50
    two = [surest(labels, half, chance), surest(labels, other, chance)]
    assert "Both (autoencoder, supervised) are wrong on 0" in together(records[:2], two)
    assert "the encoders tend to fail on different images" in together(records[:2], two)
    assert told(late, late, early).endswith("no more and no fewer than chance allows.")
    mixed = [unfinished(records[0]), *records[1:]]
    assert together(mixed, [surest(labels, late, chance)] * 3) == ""
    assert together(records[:1], two[:1]) == ""


def test_counts_are_whole_where_they_are() -> None:
    counts = (0.02, 0.33, 0.97, 2.0, 2.5, 9.96, 31.4)
    assert [*map(count_as_text, counts)] == ["<0.1", "0.3", "1", "2", "2.5", "10", "31"]

"""Numbers that must not stand side by side are told apart."""

from __future__ import annotations

from dataclasses import replace

from analysis.captions import earlier_classifiers
from analysis.records import Findings


def test_final_numbers_of_an_earlier_versions_classifier_are_named(findings: Findings) -> None:
    assert earlier_classifiers(findings) == []
    records = dict(findings.records)
    for name, classifier in (("mnist_autoencoder", "hidden 1024"), ("cifar_supervised", None)):
        result = {**(records[name].result or {}), "classifier": classifier}
        records[name] = replace(records[name], result=result)
    told = earlier_classifiers(replace(findings, records=records))
    assert [line.split(" was ")[0] for line in told] == ["mnist_autoencoder", "cifar_supervised"]
    assert told[0].endswith("Run: python search/rerun.py --pipeline mnist_autoencoder --data mini")

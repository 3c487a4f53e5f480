"""Numbers that must not stand side by side are told apart."""

from __future__ import annotations

from dataclasses import replace

from analysis.captions import other_protocols
from analysis.records import Findings


def test_what_another_protocol_measured_is_named_with_its_command(findings: Findings) -> None:
    assert other_protocols(findings) == []
    older = {0: ["cifar_supervised"], 1: ["mnist_autoencoder", "mnist_supervised"]}
    first, second = other_protocols(replace(findings, other_protocols=older))
    assert first.startswith("cifar_supervised: measured by protocol 0 too")
    assert second.startswith("mnist_autoencoder, mnist_supervised: measured by protocol 1 too")
    assert second.endswith("Run: python analysis/report.py --protocol 1 --data mini")

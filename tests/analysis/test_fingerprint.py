"""When pictures may be taken from the cache, and when not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis import fingerprint, style
from analysis.cache import Cache
from analysis.document import Document, Figure, Section
from analysis.records import Findings
from analysis.writers import files


def changed(findings: Findings, **fields: Any) -> Findings:
    """With other fields in one record."""
    record = replace(findings.records["mnist_supervised"], **fields)
    return replace(findings, records={**findings.records, record.name: record})


def test_the_same_findings_have_the_same_key(findings: Findings) -> None:
    first, second = (json.dumps(fingerprint.key(findings), sort_keys=True) for _ in range(2))
    assert first == second


def test_whatever_is_drawn_changes_the_key(findings: Findings) -> None:
    record = findings.records["mnist_supervised"]
    [study] = record.studies
    trials = (replace(study.trials[0], value=0.123), *study.trials[1:])
    others = [
        replace(findings, seed=1),
        replace(findings, points=7),
        replace(findings, embedding="pca"),
        replace(findings, missing={"x": "y"}),
        replace(findings, records={record.name: record}),
        changed(findings, weights="other"),
        changed(findings, run_id="other"),
        changed(findings, result={**(record.result or {}), "promised": 0.5}),
        changed(findings, studies=(replace(study, trials=trials),)),
        changed(findings, studies=()),
    ]
    keys = [json.dumps(fingerprint.key(one), sort_keys=True) for one in [findings, *others]]
    assert len(set(keys)) == len(keys)


def test_other_code_has_another_key(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint.key(findings)["code"]
    monkeypatch.setattr(fingerprint, "CODE", ("analysis/**/*.py",))
    assert fingerprint.key(findings)["code"] != before


def test_pictures_are_drawn_once_for_a_key(tmp_path: Path) -> None:
    drawn = []

    def draw() -> Any:
        drawn.append(1)
        return style.axes(width=1, height=1)[0]

    def figure(name: str) -> Figure:
        return Figure(name=name, title="", caption="", draw=draw)

    def render(key: int, *names: str) -> dict[str, files.Picture]:
        section = Section(id="s", title="", blocks=tuple(map(figure, names)))
        document = Document(title="", subtitle="", notices=(), sections=(section,))
        return files.render(document, cache=Cache(tmp_path), key={"key": key})

    assert render(1, "a", "b") == render(1, "a", "b")
    assert len(drawn) == 2
    render(2, "a", "b")
    render(1, "a")
    assert len(drawn) == 5

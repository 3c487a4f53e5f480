"""Whether the contrastive method succeeded: said from the tests, either way."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from analysis import result_rows
from analysis.document import Block, Bullets, Paragraph
from analysis.records import Findings, PipelineRecord
from search.cells.statistics import SIGNIFICANT, Estimate
from search.finals.comparisons import (
    ABLATION,
    ITS_ABLATION,
    METHOD,
    OWN,
    Comparison,
    verdict,
)

LINEAR = "valid/linear_accuracy"
ASKED = (
    "The method is measured against its ablation: the same encoder, views and budget, trained to "
    "reconstruct instead. The tests are of the test accuracy of the same classifier: Welch's *t*, "
    "with the variance over the test images beside those over seeds; corrected by Holm for the "
    "comparisons that were fixed beforehand."
)


def success(findings: Findings) -> list[Block]:
    """For each data set whether the method helped, and the tests that its final numbers hold."""
    blocks: list[Block] = [Paragraph(ASKED)]
    for dataset, spec in findings.specs.items():
        records = [record for record in findings.of(dataset, METHOD) if record.final]
        tests = [test for record in records for test in comparisons_of(record)]
        said = answer(tests) if records else "cannot be said yet, there are no final numbers"
        blocks.append(Paragraph(f"**{spec.title}: {said}.**"))
        sentences = [text for record in records for text in _sentences(record, findings)]
        blocks += [Bullets(tuple(sentences))] * bool(sentences)
    return blocks


def comparisons_of(record: PipelineRecord) -> list[Comparison]:
    """The comparisons that a pipeline's latest final numbers hold.

    Their sentences are made again from them: today's wording may be better.
    """
    fields = [field.name for field in dataclasses.fields(Comparison)]
    stored: Sequence[Mapping[str, Any]] = (record.result or {}).get("comparisons", [])
    # Until protocol 2 there were two tests in place of one, without a `p`.
    return [
        Comparison(**{**{n: one[n] for n in fields}, "difference": Estimate(**one["difference"])})
        for one in stored
        if "p" in one
    ]


def answer(tests: Sequence[Comparison]) -> str:
    """Whether the loss helped, from its test against the ablation."""
    ablation = next((test for test in tests if test.second == ITS_ABLATION), None)
    if ablation is None:
        return "not measured"
    if ablation.p_holm is None:
        return "one seed cannot tell"
    if ablation.p_holm >= SIGNIFICANT:
        return "no difference is shown"
    return "yes, it helped" if ablation.difference.mean > 0 else "no, it did harm"


def _sentences(record: PipelineRecord, findings: Findings) -> Iterator[str]:
    again = f"`python search/rerun.py --pipeline {record.name}`"
    for test in comparisons_of(record):
        newer = f"; {test.second} was trained anew since, to test again: {again}"
        yield f"{verdict(test)}{newer * is_stale(test, record, findings)}."
    rows = result_rows.champion(record), result_rows.find(record, ABLATION)
    mine, other = (result_rows.with_interval(row, LINEAR) for row in rows)
    if mine and other:
        yield (
            f"A linear probe reads {mine} % of the validation images from its latents and "
            f"{other} % from the ablation's."
        )


def is_stale(test: Comparison, record: PipelineRecord, findings: Findings) -> bool:
    """Whether the opponent was trained again since, so that the test compared older numbers."""
    other = findings.records.get(test.second)
    row = result_rows.champion(other) if other else None
    if test.second in OWN:
        row = result_rows.find(record, OWN[test.second])
    now = result_rows.difference(result_rows.champion(record), row)
    return now is not None and not math.isclose(now.mean, test.difference.mean, abs_tol=1e-9)

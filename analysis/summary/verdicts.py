"""Whether the contrastive method succeeded, and how: said from the tests, either way."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis import result_rows
from analysis.records import Findings, PipelineRecord
from analysis.sentences import listed
from search.cells.metrics import TEST
from search.cells.statistics import SIGNIFICANT, Estimate
from search.finals.comparisons import (
    ABLATION,
    ITS_ABLATION,
    METHOD,
    OWN,
    Comparison,
    verdict,
)
from trainers.data import DATASETS

LINEAR = "valid/linear_accuracy"
TESTS = {
    True: "shown for other seeds and test images",
    False: "no difference shown",
    None: "on these test images; one seed says nothing of others",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One comparison of a data set's contrastive champion.

    Attributes:
        opponent: as in results.json.
        difference: of the mean test accuracies, contrastive minus opponent.
        shown: whether the corrected test found it; None from one seed.
        verdict: the sentence that says the tests' result.
        stale: somebody trained the opponent again since: the test compared its older numbers.
    """

    opponent: str
    difference: float
    shown: bool | None
    verdict: str
    stale: bool


def compute_verdicts(record: PipelineRecord, findings: Findings) -> tuple[Verdict, ...]:
    """The comparisons that a pipeline's latest final numbers hold."""
    comparisons = record.result.get("comparisons", []) if record.result else []
    # Until protocol 2 there were two tests in place of one, without a `p`.
    return tuple(_outcome(one, record, findings) for one in comparisons if "p" in one)


def _outcome(comparison: Mapping[str, Any], record: PipelineRecord, findings: Findings) -> Verdict:
    opponent, difference = comparison["second"], float(comparison["difference"]["mean"])
    p = comparison["p_holm"]
    other = findings.records.get(opponent)
    row = result_rows.champion(other) if other else None
    if opponent in OWN:
        row = result_rows.find(record, OWN[opponent])
    now = result_rows.difference(result_rows.champion(record), row)
    return Verdict(
        opponent=opponent,
        difference=difference,
        shown=None if p is None else p < SIGNIFICANT,
        verdict=verdict(_comparison(comparison)),
        stale=now is not None and not math.isclose(now.mean, difference, abs_tol=1e-9),
    )


def _comparison(stored: Mapping[str, Any]) -> Comparison:
    """As results.json holds it. Its sentence is made again: today's wording may be better."""
    fields = {field.name: stored[field.name] for field in dataclasses.fields(Comparison)}
    return Comparison(**{**fields, "difference": Estimate(**stored["difference"])})


def success(findings: Findings) -> list[str]:
    """Paragraphs: whether the contrastive method helped, then what happened on each data set."""
    final = [record for record in findings.of(method=METHOD) if record.final]
    outcomes = {record.name: compute_verdicts(record, findings) for record in final}
    if not final:
        return [
            "Whether the contrastive method succeeded cannot be said yet: no contrastive pipeline "
            "has final numbers."
        ]
    parts = [f"on {_title(r)} {_helped(outcomes[r.name])}" for r in final]
    paragraphs = [
        "The method is measured against its ablation: the same encoder, views and budget, trained "
        "to reconstruct instead. By the test accuracy of the same classifier, "
        f"{', and '.join(parts)}."
    ]
    judged = {record.dataset for record in final}
    if missing := [spec.title for name, spec in DATASETS.items() if name not in judged]:
        without = "it cannot be judged yet: there are no final numbers."
        paragraphs[0] += f" On {listed(missing)} {without}"
    return paragraphs + [_on_dataset(record, outcomes[record.name], findings) for record in final]


def _helped(outcomes: Sequence[Verdict]) -> str:
    ablation = next((one for one in outcomes if one.opponent == ITS_ABLATION), None)
    if ablation is None:
        return "this was not measured"
    better = ablation.difference >= 0
    by = f"{100 * abs(ablation.difference):.2f} points"
    clauses = {
        True: f"it helped, by {by}" if better else f"it did harm, by {by}",
        False: f"no difference is shown ({100 * ablation.difference:+.2f} points)",
        None: f"it is {'ahead' if better else 'behind'} by {by} with one seed, which says nothing "
        "of others",
    }
    return clauses[ablation.shown]


def _on_dataset(record: PipelineRecord, outcomes: Sequence[Verdict], findings: Findings) -> str:
    """One data set: the numbers against each opponent, the gap closed, the linear probe."""
    mine = result_rows.champion(record)
    how = "with" if record.pipeline.uses_labels else "without"
    sentences = [
        f"**{_title(record)}.** {record.name} reaches {result_rows.with_interval(mine, TEST)} %, "
        f"{how} labels in the encoder's training."
    ]
    for one in outcomes:
        against = f"Against {one.opponent}: {100 * one.difference:+.2f} points"
        sentences.append(f"{against}, {TESTS[one.shown]}.")
    sentences += [*_gap(record, findings), *_probe(record)]
    if any(one.stale for one in outcomes):
        sentences.append(
            "An opponent was trained anew since these tests were made; to test again: "
            f"`python search/rerun.py --pipeline {record.name}`."
        )
    return " ".join(sentences)


def _gap(record: PipelineRecord, findings: Findings) -> list[str]:
    """How far it gets from the autoencoder to the supervised encoder, which sees the labels."""
    ends = []
    for method in ("autoencoder", "supervised"):
        records = findings.of(record.dataset, method)
        ends.append(result_rows.mean(result_rows.champion(records[0]), TEST) if records else None)
    low, high, mine = *ends, result_rows.mean(result_rows.champion(record), TEST)
    if low is None or high is None or mine is None or high <= low:
        return []
    gap = f"the {100 * (high - low):.2f} points between autoencoder and supervised"
    if mine >= high:
        return [f"It makes up for all of {gap}."]
    if mine <= low:
        return [f"Of {gap} it makes up for nothing."]
    return [f"Of {gap} it makes up for {100 * (mine - low) / (high - low):.0f} %."]


def _probe(record: PipelineRecord) -> list[str]:
    """How the space differs for flat cuts, whatever a larger classifier makes of it."""
    mine, other = result_rows.champion(record), result_rows.find(record, ABLATION)
    difference = result_rows.difference(mine, other, LINEAR)
    if difference is None:
        return []
    text = (
        f"A linear probe reads {result_rows.with_interval(mine, LINEAR)} % of the validation "
        f"images from its latents and {result_rows.with_interval(other, LINEAR)} % from the "
        "ablation's"
    )
    if difference.low is None or difference.high is None:
        return [f"{text}, with one seed."]
    if difference.low <= 0 <= difference.high:
        return [f"{text}: no difference in how well flat cuts separate the classes."]
    better = "better" if difference.mean > 0 else "worse"
    return [f"{text}: flat cuts separate the classes {better} than after reconstruction."]


def _title(record: PipelineRecord) -> str:
    return DATASETS[record.dataset].title

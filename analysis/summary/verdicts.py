"""Whether the contrastive method succeeded, and how: said from the paired tests, either way."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from analysis import rows
from analysis.records import Findings, PipelineRecord
from analysis.rows import ABLATION
from search.finals.comparisons import SIGNIFICANT, Comparison, Estimate, verdict
from search.finals.results import TEST
from trainers.data import DATASETS

METHOD = "contrastive"
ITS_ABLATION = "its ablation"  # as search/finals/across.py calls it
LINEAR = "valid/linear_accuracy"
Shown = Literal["both", "images", "seeds", "none"]
TESTS: Mapping[Shown, str] = {
    "both": "shown over seeds and over test images",
    "images": "shown on these test images, not over seeds",
    "seeds": "shown over seeds, not on the paired test images",
    "none": "no difference shown",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One comparison of a data set's contrastive champion.

    Attributes:
        opponent: as in results.json.
        difference: of the mean test accuracies, contrastive minus opponent, over paired seeds.
        shown: which of the two corrected tests found it.
        verdict: the sentence that was computed with the tests.
        stale: the opponent was trained anew since: its numbers are no longer those compared.
    """

    opponent: str
    difference: float
    shown: Shown
    verdict: str
    stale: bool

    def __post_init__(self) -> None:
        if not -1 <= self.difference <= 1:
            raise ValueError(f"{self.opponent}: a difference of {self.difference}")


def compute_outcomes(record: PipelineRecord, findings: Findings) -> tuple[Outcome, ...]:
    """The comparisons that a pipeline's latest final numbers hold."""
    found = record.result.get("comparisons", []) if record.result else []
    return tuple(_outcome(comparison, record, findings) for comparison in found)


def _outcome(comparison: Mapping[str, Any], record: PipelineRecord, findings: Findings) -> Outcome:
    opponent, difference = comparison["second"], float(comparison["difference"]["mean"])
    if opponent == ITS_ABLATION:
        row = rows.find(record, ABLATION)
    else:
        row = rows.champion(findings.records[opponent]) if opponent in findings.records else None
    now = rows.paired(rows.champion(record), row)
    return Outcome(
        opponent=opponent,
        difference=difference,
        shown=shown(comparison),
        verdict=verdict(_comparison(comparison)),
        stale=now is not None and not math.isclose(now.mean, difference, abs_tol=1e-9),
    )


def _comparison(stored: Mapping[str, Any]) -> Comparison:
    """As results.json holds it. Its sentence is made anew: it may be worded better by now."""
    fields = {field.name: stored[field.name] for field in dataclasses.fields(Comparison)}
    difference = Estimate(**stored["difference"])
    interval = tuple(stored["image_difference"])
    return Comparison(**{**fields, "difference": difference, "image_difference": interval})


def shown(comparison: Mapping[str, Any]) -> Shown:
    """Which tests found a difference, by the rules of the verdicts' sentences."""
    seeds, images = comparison["p_seeds_holm"], comparison["p_images_holm"]
    over_seeds = seeds is not None and seeds < SIGNIFICANT
    discordant = comparison["only_first"] - comparison["only_second"]
    same_way = discordant * comparison["difference"]["mean"] >= 0
    over_images = images is not None and images < SIGNIFICANT and same_way
    if over_images and over_seeds:
        return "both"
    return "images" if over_images else "seeds" if over_seeds else "none"


def success(findings: Findings) -> list[str]:
    """Paragraphs: whether the contrastive method helped, then what happened on each data set."""
    final = [record for record in findings.of(method=METHOD) if record.final]
    outcomes = {record.name: compute_outcomes(record, findings) for record in final}
    if not final:
        return [
            "Whether the contrastive method succeeded cannot be said yet: no contrastive pipeline "
            "has final numbers."
        ]
    parts = [f"on {_title(r)} {_helped(outcomes[r.name])}" for r in final]
    told = [
        "The method is measured against its ablation: the same encoder, views and budget, trained "
        "to reconstruct instead. By the test accuracy of the same classifier, "
        f"{', and '.join(parts)}."
    ]
    missing = [
        spec.title
        for name, spec in DATASETS.items()
        if not any(record.dataset == name for record in final)
    ]
    if missing:
        told[0] += f" On {_and(missing)} it cannot be judged yet: there are no final numbers."
    return told + [_on_dataset(record, outcomes[record.name], findings) for record in final]


def _helped(outcomes: Sequence[Outcome]) -> str:
    ablation = next((one for one in outcomes if one.opponent == ITS_ABLATION), None)
    if ablation is None:
        return "this was not measured"
    better = ablation.difference >= 0
    by = f"{100 * abs(ablation.difference):.2f} points"
    said = {
        "both": f"it helped, by {by}" if better else f"it did harm, by {by}",
        "images": f"it is {'ahead' if better else 'behind'} by {by} on these test images, which "
        "is not shown to hold over seeds",
        "seeds": f"it is {'ahead' if better else 'behind'} by {by} over seeds, which the paired "
        "test images do not show",
        "none": f"no difference is shown ({100 * ablation.difference:+.2f} points)",
    }
    return said[ablation.shown]


def _on_dataset(record: PipelineRecord, outcomes: Sequence[Outcome], findings: Findings) -> str:
    """One data set: the numbers against each opponent, the gap closed, the linear probe."""
    mine = rows.champion(record)
    how = "with" if record.pipeline.uses_labels else "without"
    told = [
        f"**{_title(record)}.** {record.name} reaches {rows.with_interval(mine, TEST)} %, {how} "
        "labels in the encoder's training."
    ]
    for one in outcomes:
        told.append(
            f"Against {one.opponent}: {100 * one.difference:+.2f} points, {TESTS[one.shown]}."
        )
    told += _gap(record, findings)
    told += _probe(record)
    if any(one.stale for one in outcomes):
        told.append(
            "An opponent was trained anew since these tests were made; to test again: "
            f"`python search/rerun.py --pipeline {record.name}`."
        )
    return " ".join(told)


def _gap(record: PipelineRecord, findings: Findings) -> list[str]:
    """How far it gets from the autoencoder to the supervised encoder, which sees the labels."""
    ends = []
    for method in ("autoencoder", "supervised"):
        found = findings.of(record.dataset, method)
        ends.append(rows.mean(rows.champion(found[0]), TEST) if found else None)
    low, high, mine = *ends, rows.mean(rows.champion(record), TEST)
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
    mine, other = rows.champion(record), rows.find(record, ABLATION)
    difference = rows.paired(mine, other, LINEAR)
    if difference is None:
        return []
    said = (
        f"A linear probe reads {rows.with_interval(mine, LINEAR)} % of the validation images from "
        f"its latents and {rows.with_interval(other, LINEAR)} % from the ablation's"
    )
    if difference.low is None or difference.high is None:
        return [f"{said}, with one seed."]
    if difference.low <= 0 <= difference.high:
        return [f"{said}: no difference in how well flat cuts separate the classes."]
    better = "better" if difference.mean > 0 else "worse"
    return [f"{said}: flat cuts separate the classes {better} than after reconstruction."]


def _title(record: PipelineRecord) -> str:
    return DATASETS[record.dataset].title


def _and(parts: Sequence[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last

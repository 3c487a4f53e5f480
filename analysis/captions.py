"""Where numbers come from, in words: which weights, which images, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.document import Paragraph
from analysis.records import Findings, PipelineRecord
from analysis.result_rows import of_todays_classifier
from trainers.data import DATASETS


def title_of(record: PipelineRecord) -> str:
    """As a reader says it: `MNIST autoencoder`."""
    return f"{DATASETS[record.dataset].title} {record.method.replace('_', ' ')}"


def source_of(record: PipelineRecord) -> str:
    """Images, weights and run of a record, as a piece of a sentence for captions."""
    images = f"{len(record.images):,} {record.split} images"
    run = f"run `{record.run_id[:8]}`"
    if record.final:
        return f"{images}; champion, {run}"
    return f"{images}; not final: the best trial so far, {run}"


def absent(findings: Findings, names: Sequence[str]) -> tuple[Paragraph, ...]:
    """One paragraph that names those of `names` that are not there, and how to make them."""
    missing = [name for name in names if name not in findings.records]
    if not missing:
        return ()
    descriptions = [
        f"{name} (run `{findings.missing[name]}`)" if name in findings.missing else name
        for name in missing
    ]
    return (Paragraph("Missing here: " + ", ".join(descriptions) + "."),)


def earlier_classifiers(findings: Findings) -> list[str]:
    """A line for each pipeline whose final numbers an earlier version's classifier measured."""
    option = " --data mini" * findings.mini
    return [
        f"{name} was measured by the classifier of an earlier version and is not to be compared "
        f"with those of today's. Run: python search/rerun.py --pipeline {name}{option}"
        for name, record in findings.records.items()
        if record.result and not of_todays_classifier(record.result)
    ]

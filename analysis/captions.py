"""Where numbers come from, in words: which weights, which images, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.document import Paragraph
from analysis.records import Findings, PipelineRecord
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
    missing = [
        f"{name} (run `{findings.missing[name]}`)" if name in findings.missing else name
        for name in names
        if name not in findings.records
    ]
    return (Paragraph(f"Missing here: {', '.join(missing)}."),) if missing else ()


def other_protocols(findings: Findings) -> list[str]:
    """A line for each other version of the protocol that the store has numbers by."""
    option = " --data mini" * findings.mini
    return [
        f"{', '.join(names)}: measured by protocol {version} too, whose numbers do not compare "
        f"with these of protocol {findings.protocol}. "
        f"Run: python analysis/report.py --protocol {version}{option}"
        for version, names in findings.other_protocols.items()
    ]

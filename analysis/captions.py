"""Where numbers come from, in words: which weights, which images, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.document import Paragraph
from analysis.records import Findings, PipelineRecord
from analysis.sentences import listed


def title_of(record: PipelineRecord) -> str:
    """As a reader says it: `MNIST autoencoder`."""
    return f"{record.data.spec.title} {record.called}"


def source_of(record: PipelineRecord) -> str:
    """Images, weights and run of a record, as a piece of a sentence for captions."""
    whose = "champion" if record.final else "not final: the best trial so far"
    return f"{len(record.images):,} {record.split} images; {whose}, run `{record.run_id[:8]}`"


def every_search(records: Iterable[PipelineRecord]) -> str:
    """Who is meant where it is said what searches maximise: not those with goals of their own."""
    others = [study.name for record in records for study in record.studies if study.goals]
    return f"Every search but {listed(others)}" if others else "Every search"


def absent(findings: Findings, method: str = "") -> tuple[Paragraph, ...]:
    """One paragraph that names what is not there, and how to make it.

    Args:
        method: of which there should be pipelines; by default all that a whole report has.
    """
    missing = [
        f"{name} (run `{findings.missing[name]}`)" if name in findings.missing else name
        for name in findings.expected
        if name.endswith(method) and name not in findings.records
    ]
    return (Paragraph(f"Missing here: {', '.join(missing)}."),) if missing else ()


def other_protocols(findings: Findings) -> list[str]:
    """A line for each other version of the protocol that the store has numbers by."""
    option = "".join(f" {word}" for word in findings.data_words)
    return [
        f"{', '.join(names)}: measured by protocol {version} too, whose numbers do not compare "
        f"with these of protocol {findings.protocol}. "
        f"Run: python analysis/report.py --protocol {version}{option}"
        for version, names in findings.other_protocols.items()
    ]

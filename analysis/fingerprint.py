"""One key for all that a report follows from: for an equal key no picture is drawn again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping

import matplotlib

from analysis.records import Findings, PipelineRecord
from search.files import fingerprint

CODE = ("analysis/**/*.py", "search/**/*.py", "trainers/**/*.py", "models/**/*.py")


def key(findings: Findings) -> dict[str, object]:
    """JSON-able; changes with any run that is drawn, any option, and the code that draws."""
    records = {name: _record(record) for name, record in findings.records.items()}
    text = json.dumps(records, sort_keys=True, default=str)
    return {
        "records": hashlib.sha256(text.encode()).hexdigest(),
        "missing": dict(findings.missing),
        "sweeps": {record.name: record.run_id for record in findings.sweeps},
        "outcomes": [record.outcome.to_json() for record in findings.sweeps],
        "unswept": findings.unswept,
        "options": [findings.data, findings.seed, findings.points, findings.embedding],
        "code": fingerprint.of_code(*CODE),
        "matplotlib": matplotlib.__version__,
    }


def _record(record: PipelineRecord) -> Mapping[str, object]:
    return {
        "run": record.run_id,
        "weights": record.weights,
        "split": record.split,
        "images": [record.data.fingerprint, len(record.images), len(record.data.train)],
        "info": dict(record.info),
        "result": record.result,
        "studies": [dataclasses.asdict(study) for study in record.studies],
    }

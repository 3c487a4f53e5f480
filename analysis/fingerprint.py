"""What a report follows from, as one key: where it is the same, pictures need not be drawn anew."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import matplotlib

from analysis.records import Findings, PipelineRecord

CODE = (
    *("analysis", "models", "search/pipelines", "search/sweeps", "search/sweeping"),
    *("search/measures", "search/recipes.py", "search/rebuild.py"),
)
ROOT = Path(__file__).resolve().parents[1]


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
        "options": [findings.mini, findings.seed, findings.points, findings.embedding],
        "code": code(),
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


def code() -> str:
    """Of all code that a report follows from."""
    digest = hashlib.sha256()
    for entry in CODE:
        path = ROOT / entry
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()

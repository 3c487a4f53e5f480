"""The cost of each pipeline's search, so that unequal effort shows: trials, epochs, hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from analysis.document import Cell, Table, heads
from analysis.history.trials import STATES, state_of
from analysis.records import PipelineRecord


def table(records: Sequence[PipelineRecord]) -> Table:
    """A line a pipeline."""
    studies = "; ".join(f"{s.name} ({s.run_id})" for r in records for s in r.studies)
    return Table(
        name="budget",
        title="Budget of each pipeline",
        caption="Of all its searches on the same data: the better searched of two pipelines has an "
        "advantage that is none of its method's. Hours of trials are summed over trials, wall "
        "hours are those of the searches, in which trials ran side by side; final hours are the "
        "training behind the final numbers, baselines and ablation included. Studies: "
        f"{studies or 'none'}.",
        columns=heads(
            "pipeline | searches | trials | complete | pruned | failed | interrupted | epochs "
            "| hours of trials | wall hours | final hours | device"
        ),
        rows=tuple(map(row_of, records)),
    )


def row_of(record: PipelineRecord) -> tuple[Cell, ...]:
    """The sums over all studies of the pipeline on the same data, and over its final runs."""
    trials = [trial for study in record.studies for trial in study.trials]
    states = Counter(map(state_of, trials))
    devices = {study.params.get("device", "unknown") for study in record.studies}
    return (
        record.name,
        len(record.studies),
        len(trials),
        *(states[state] for state in STATES),
        sum(len(trial.loss) for trial in trials),
        round(sum(trial.seconds for trial in trials) / 3600, 4),
        round(sum(study.seconds for study in record.studies) / 3600, 4),
        _final_hours(record),
        ", ".join(sorted(devices)),
    )


def _final_hours(record: PipelineRecord) -> float | None:
    if record.result is None:
        return None
    seconds: dict[str, float] = {}  # by cell: the defaults may be the champion
    for row in record.result["rows"]:
        spent = row["metrics"].get("time/train_seconds", [])
        seconds |= dict(zip(row["cells"], spent, strict=False))
    return sum(seconds.values()) / 3600

"""A sweep in MLflow: its own run, and a run a cell."""

from __future__ import annotations

import json

from search import provenance, tracking
from search.cluster import ROOT
from search.finals.cell_runs import CellRuns
from search.finals.cells import Kept
from search.sweeping.outcome import OUTCOME, Outcome
from search.sweeping.plan import SweepPlan
from search.sweeping.sweep import Point

SOURCE = "search/sweep.py"


class Records:
    """The sweep's run and its children.

    Args:
        plan: the sweep.
        store: an open store.

    Attributes:
        experiment_id, run_id: of the sweep's own run.
    """

    def __init__(self, plan: SweepPlan, store: tracking.Store) -> None:
        self._plan = plan
        self._store = store
        self.experiment_id = store.experiment(
            plan.experiment, {"mlflow.note.content": f"{plan.sweep.title}: {plan.sweep.question}"}
        )
        source = next(iter(plan.data.values())).source
        self._tags = {"sweep": plan.id, "name": plan.name, "data": source}
        found = store.find_run(self.experiment_id, kind="sweep", sweep=plan.id)
        if found:
            store.reopen_run(found)
        self.run_id = found or self._start()
        self._runs = CellRuns(
            store,
            self.experiment_id,
            self.run_id,
            source=SOURCE,
            tags={**self._tags, "kind": "cell"},
        )

    def _start(self) -> str:
        plan = self._plan
        run_id = self._store.start_run(
            self.experiment_id,
            name=f"{plan.name}, {'quick' if plan.quick else 'full'} grid",
            source=SOURCE,
            tags={
                **self._tags,
                **provenance.source_tags(ROOT),
                **provenance.versions(),
                "kind": "sweep",
                "quick": str(plan.quick).lower(),
                "data_fingerprint": " ".join(d.fingerprint for d in plan.data.values()),
                "mlflow.note.content": "**Stand-in data, not a result.**" if plan.mini else "",
            },
        )
        sizes = {f"train_size/{name}": len(data.train) for name, data in plan.data.items()}
        epochs = {f"epochs/{name}": count for name, count in plan.epochs.items()}
        counts = {"points": len(plan.points), "seeds": len(plan.seeds)}
        self._store.log(run_id, params={**counts, **sizes, **epochs})
        return run_id

    def record(self, kept: Kept, point: Point, measured: dict[str, float]) -> None:
        """Write a cell's run, or what is missing of it."""
        number = self._plan.seeds.index(kept.cell.seed) + 1
        self._runs.record(
            kept,
            name=f"{point.line}, {point.x:g}, seed {number}",
            tags={"row": f"{point.line} {point.x:g}", "pipeline": point.pipeline},
            metrics=measured,
        )

    def conclude(self, outcome: Outcome, answer: list[str]) -> None:
        """The numbers as one file, the answer as the run's description; the run is closed."""
        text = json.dumps(outcome.to_json(), indent=1)
        self._store.log_text(self.run_id, text, OUTCOME)
        stand_in = ["**Stand-in data, not a result.**"] if self._plan.mini else []
        note = "\n\n".join([*stand_in, self._plan.sweep.question, *answer])
        self._store.log(self.run_id, tags={"mlflow.note.content": note[:5000]})
        self.end("FINISHED")

    def end(self, status: str) -> None:
        """Close the sweep's run, and whatever is open under it."""
        for run_id in self._store.open_children(self.experiment_id, self.run_id):
            self._store.end_run(run_id, "KILLED")
        self._store.end_run(self.run_id, status)

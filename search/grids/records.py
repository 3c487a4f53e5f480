"""A sweep in MLflow: its own run, and a run a cell."""

from __future__ import annotations

import json

from search.cells.runs import CellRuns
from search.cells.store import TrainedCell
from search.files import seals
from search.files.home import ROOT
from search.grids.plan import SweepPlan
from search.grids.results import OUTCOME, GridResult
from search.grids.sweep import Point
from search.tracking import provenance
from search.tracking.store import Store
from trainers import protocol

SOURCE = "search/sweep.py"


class Records:
    """The sweep's run and its children.

    Args:
        plan: the sweep.
        store: an open store.

    Attributes:
        experiment_id, run_id: of the sweep's own run.
        restored: as in `CellRuns`.
    """

    def __init__(self, plan: SweepPlan, store: Store) -> None:
        self._plan = plan
        self._store = store
        self.experiment_id = store.experiment(
            plan.experiment, {"mlflow.note.content": f"{plan.sweep.title}: {plan.sweep.question}"}
        )
        source = next(iter(plan.data.values())).source
        self._tags = {
            "sweep": plan.id,
            "name": plan.name,
            "data": source,
            "protocol": str(protocol.VERSION),
            **provenance.home_tag(plan.home),
        }
        self._runs = CellRuns(
            store,
            self.experiment_id,
            identity={"kind": "sweep", "sweep": plan.id},
            start=self._start,
            source=SOURCE,
            tags={**self._tags, "kind": "cell"},
        )
        self.run_id = self._runs.parent
        self.restored = self._runs.restored

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

    def record(self, kept: TrainedCell, point: Point, measured: dict[str, float]) -> None:
        """Write a cell's run, or what is missing of it."""
        number = self._plan.seeds.index(kept.cell.seed) + 1
        self._runs.record(
            kept,
            name=f"{point.line}, {point.x:g}, seed {number}",
            tags={"row": f"{point.line} {point.x:g}", "pipeline": point.pipeline},
            metrics=measured,
        )

    def conclude(self, outcome: GridResult, answer: list[str]) -> None:
        """The numbers as one file, the answer as the run's description; the run is closed."""
        text = json.dumps(seals.seal(outcome.to_json(), {}), indent=1)
        self._store.log_text(self.run_id, text, OUTCOME)
        stand_in = ["**Stand-in data, not a result.**"] if self._plan.mini else []
        note = "\n\n".join([*stand_in, self._plan.sweep.question, *answer])
        self._store.log(self.run_id, tags={"mlflow.note.content": note[:5000]})
        self.end("FINISHED")

    def end(self, status: str) -> None:
        """Close the sweep's run, and whatever is open under it."""
        self._runs.end(status)

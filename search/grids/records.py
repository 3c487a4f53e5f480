"""A sweep in MLflow: its own run, and a run a cell."""

from __future__ import annotations

import json

from search.cells.runs import STAND_IN, CellRuns
from search.cells.store import TrainedCell
from search.files import seals
from search.grids.plan import SweepPlan
from search.grids.results import OUTCOME, GridResult
from search.grids.sweep import Point
from search.tracking.store import Store


class Records(CellRuns):
    """The sweep's run and its children."""

    def __init__(self, plan: SweepPlan, store: Store) -> None:
        self._plan = plan
        note = {"mlflow.note.content": f"{plan.sweep.title}: {plan.sweep.question}"}
        fingerprints = " ".join(data.fingerprint for data in plan.data.values())
        sizes = {f"train_size/{name}": len(data.train) for name, data in plan.data.items()}
        epochs = {f"epochs/{name}": count for name, count in plan.epochs.items()}
        counts = {"points": len(plan.points), "seeds": len(plan.seeds)}
        super().__init__(
            plan,
            store,
            kind="sweep",
            name=f"{plan.name}, {'quick' if plan.quick else 'full'} grid",
            experiment_id=store.experiment(plan.experiment, note),
            tags={"name": plan.name, "data": next(iter(plan.data.values())).source},
            own=(
                {"quick": str(plan.quick).lower(), "data_fingerprint": fingerprints},
                {**counts, **sizes, **epochs},
            ),
        )

    def record(self, kept: TrainedCell, point: Point, measured: dict[str, float]) -> None:
        """Write a cell's run, or what is missing of it."""
        row = f"{point.line} {point.x:g}"
        self.write(
            kept,
            row=f"{point.line}, {point.x:g}",
            tags={"kind": "cell", "row": row, "pipeline": point.pipeline},
            metrics=measured,
        )

    def conclude(self, outcome: GridResult, answer: list[str]) -> None:
        """The numbers as one file, the answer as the run's description; the run is closed."""
        text = json.dumps(seals.seal(outcome.to_json(), {}), indent=1)
        self._store.log_text(self.run_id, text, OUTCOME)
        stand_in = [STAND_IN] if self._plan.mini else []
        note = "\n\n".join([*stand_in, self._plan.sweep.question, *answer])
        self._store.log(self.run_id, tags={"mlflow.note.content": note[:5000]})
        self.end("FINISHED")

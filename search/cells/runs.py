"""MLflow's runs of cells, below a parent: written from the cells' folders, as often as wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from search.cells.cell import MODEL, TEST_METRICS, TEST_OUTPUTS
from search.cells.metrics import cell_metrics
from search.cells.plan import CellPlan
from search.cells.store import TrainedCell
from search.files.home import ROOT
from search.tracking import provenance
from search.tracking.store import RunView, Step, Store
from search.trials.checkpoint import WEIGHTS
from trainers import protocol

STAND_IN = "**Stand-in data, not a result.**"
RECORDED = "recorded"  # how far a cell's run is written: trained or tested


class CellRuns:
    """The run of a rerun or a sweep, and below it a run for each cell.

    Args:
        plan: whose run is opened again if there is one, else started.
        kind: `rerun` or `sweep`.
        name: of its run.
        experiment_id: of all runs.
        tags: of all runs.
        own: tags and parameters of its own run.

    Attributes:
        experiment_id, run_id: of its own run.
        restored: files that were missing or damaged in runs that were written before.
    """

    def __init__(
        self,
        plan: CellPlan,
        store: Store,
        *,
        kind: str,
        name: str,
        experiment_id: str,
        tags: Mapping[str, str],
        own: tuple[Mapping[str, str], Mapping[str, object]],
    ) -> None:
        self._store = store
        self.experiment_id = experiment_id
        self._source = f"search/{kind}.py"
        home = provenance.home_tag(plan.home)
        self._tags = {**tags, kind: plan.id, "protocol": str(protocol.VERSION), **home}
        run_id = store.find_run(experiment_id, kind=kind, **{kind: plan.id})
        if run_id:
            store.reopen_run(run_id)
        else:
            note = {"mlflow.note.content": STAND_IN if plan.mini else "", "kind": kind}
            origin = provenance.source_tags(ROOT) | provenance.versions()
            tags = {**self._tags, **origin, **note, **own[0]}
            run_id = store.start_run(experiment_id, name=name, source=self._source, tags=tags)
            store.log(run_id, params=own[1])
        self.run_id = run_id
        self._seeds = plan.seeds
        children = store.runs(experiment_id, parent=run_id)
        self._known = {_key(run.tags): run for run in children}
        self.restored: list[str] = []

    def end(self, status: str) -> None:
        """Close its own run, and whatever is open under it."""
        self._store.end_with_children(self.experiment_id, self.run_id, status)

    def write(
        self,
        kept: TrainedCell,
        *,
        row: str,
        tags: Mapping[str, str],
        metrics: Mapping[str, float] | None = None,
    ) -> str:
        """Write a cell's run, or what is missing of it; returns the run's id.

        Args:
            row: that it belongs to, in words.
            tags: its own; `kind` and `row` tell the runs of one cell apart.
            metrics: what was measured of it besides.
        """
        seed = kept.cell.seed
        name = f"{row}, seed {self._seeds.index(seed) + 1}"
        tags = {**self._tags, "cell": kept.cell.id, "seed": str(seed), **tags}
        tested = kept.tested
        state = "tested" if tested else "trained"
        names = (MODEL, WEIGHTS, *([TEST_METRICS, TEST_OUTPUTS] if tested else []))
        files = [kept.folder / file for file in names]
        known = self._known.get(_key(tags))
        if known and known.status == "FINISHED" and known.tags.get(RECORDED) == state:
            lost = [file for file in files if not self._store.holds(known.run_id, file)]
            self.restored += [f"{file.name} of {name} (run {known.run_id})" for file in lost]
            if not lost and any(known.tags.get(tag) != value for tag, value in tags.items()):
                self._store.log(known.run_id, tags=tags)
            if not lost:
                return known.run_id
        run_id = (
            known.run_id
            if known
            else self._store.start_run(
                self.experiment_id,
                name=name,
                parent=self.run_id,
                source=self._source,
                tags=tags,
                began=kept.began,
            )
        )
        self._log(kept, run_id, metrics or {}, files)
        self._store.log(run_id, tags={**tags, "trial_state": "COMPLETE", RECORDED: state})
        self._store.end_run(run_id, "FINISHED", ended=kept.ended)
        self._known[_key(tags)] = RunView(run_id, "FINISHED", {**tags, RECORDED: state}, {}, {})
        return run_id

    def _log(
        self, kept: TrainedCell, run_id: str, more: Mapping[str, float], files: Sequence[Path]
    ) -> None:
        model = kept.model
        settings = {name: model[name] for name in ("precision", "device", "threads")}
        fixed = {"epochs": kept.cell.epochs, "seed": kept.cell.seed}
        params = {**kept.cell.params, "train_size": kept.cell.train_size, **fixed, **settings}
        self._store.log(run_id, params=params)
        steps = [
            Step(
                int(point["epoch"]),
                int(point["timestamp"]),
                {k: v for k, v in point.items() if k not in ("epoch", "timestamp")},
            )
            for point in kept.curves
        ]
        at_end = replace(steps[-1], metrics={**cell_metrics(kept), **more})
        self._store.log_steps(run_id, [*steps, at_end])
        for file in files:
            self._store.log_file(run_id, file)


def _key(tags: Mapping[str, str]) -> tuple[str, ...]:
    return tags.get("kind", ""), tags.get("row", ""), tags.get("cell", "")

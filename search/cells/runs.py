"""MLflow's runs of cells, below a parent: written from the cells' folders, as often as wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from search.cells.cell import MODEL, TEST_METRICS, TEST_OUTPUTS
from search.cells.metrics import cell_metrics
from search.cells.store import TrainedCell
from search.tracking.store import RunView, Step, Store
from search.trials.checkpoint import WEIGHTS

RECORDED = "recorded"  # how far a cell's run is written: trained or tested


class CellRuns:
    """The run of a rerun or a sweep, and below it a run for each cell.

    Args:
        store: an open store.
        experiment_id: of all of them.
        identity: tags that only this rerun or sweep has; its run is opened again if there is one.
        start: starts its run and returns the id.
        source: the command that makes them.
        tags: of each cell's run.

    Attributes:
        parent: the id of the rerun's or sweep's own run.
        restored: files that were missing or damaged in runs that were written before.
    """

    def __init__(
        self,
        store: Store,
        experiment_id: str,
        *,
        identity: Mapping[str, str],
        start: Callable[[], str],
        source: str,
        tags: Mapping[str, str],
    ) -> None:
        self._store = store
        self._experiment_id = experiment_id
        known = store.find_run(experiment_id, **identity)
        if known:
            store.reopen_run(known)
        self.parent = known or start()
        self._source = source
        self._tags = dict(tags)
        children = store.runs(experiment_id, parent=self.parent)
        self._known = {_key(run.tags): run for run in children}
        self.restored: list[str] = []

    def end(self, status: str) -> None:
        """Close the parent, and whatever is open under it."""
        for run_id in self._store.open_children(self._experiment_id, self.parent):
            self._store.end_run(run_id, "KILLED")
        self._store.end_run(self.parent, status)

    def record(
        self,
        kept: TrainedCell,
        *,
        name: str,
        tags: Mapping[str, str],
        metrics: Mapping[str, float] | None = None,
    ) -> str:
        """Write a cell's run, or what is missing of it; returns the run's id.

        Args:
            name: of the run.
            tags: its own; `kind` and `row` tell the runs of one cell apart.
            metrics: what was measured of it besides.
        """
        tags = {
            **self._tags,
            "cell": kept.cell.id,
            "seed": str(kept.cell.seed),
            **tags,
        }
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
                self._experiment_id,
                name=name,
                parent=self.parent,
                source=self._source,
                tags=tags,
                began=kept.began,
            )
        )
        self._write(kept, run_id, metrics or {}, files)
        self._store.log(run_id, tags={**tags, "trial_state": "COMPLETE", RECORDED: state})
        self._store.end_run(run_id, "FINISHED", ended=kept.ended)
        self._known[_key(tags)] = RunView(run_id, "FINISHED", {**tags, RECORDED: state}, {}, {})
        return run_id

    def _write(
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

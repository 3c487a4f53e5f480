"""MLflow's runs of cells, below a parent: written from the cells' folders, as often as wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from search import tracking
from search.finals.cells import MODEL, TEST_METRICS, TEST_OUTPUTS, WEIGHTS, Kept
from search.finals.results import cell_metrics

RECORDED = "recorded"  # how far a cell's run is written: trained or tested


class CellRuns:
    """The runs below one parent, a cell each.

    Args:
        store: an open store.
        experiment_id, parent: where they stand.
        source: the command that makes them.
        tags: what each bears.
    """

    def __init__(
        self,
        store: tracking.Store,
        experiment_id: str,
        parent: str,
        *,
        source: str,
        tags: Mapping[str, str],
    ) -> None:
        self._store = store
        self._experiment_id = experiment_id
        self._parent = parent
        self._source = source
        self._tags = dict(tags)
        children = store.runs(experiment_id, parent=parent)
        self._known = {_key(run.tags): run for run in children}

    def record(
        self,
        kept: Kept,
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
        state = "tested" if kept.tested else "trained"
        known = self._known.get(_key(tags))
        if known and known.status == "FINISHED" and known.tags.get(RECORDED) == state:
            if any(known.tags.get(tag) != value for tag, value in tags.items()):
                self._store.log(known.run_id, tags=tags)
            return known.run_id
        run_id = (
            known.run_id
            if known
            else self._store.start_run(
                self._experiment_id,
                name=name,
                parent=self._parent,
                source=self._source,
                tags=tags,
                began=kept.began,
            )
        )
        self._write(kept, run_id, metrics or {})
        self._store.log(run_id, tags={**tags, "trial_state": "COMPLETE", RECORDED: state})
        self._store.end_run(run_id, "FINISHED", ended=kept.ended)
        self._known[_key(tags)] = tracking.RunView(
            run_id, "FINISHED", {**tags, RECORDED: state}, {}, {}
        )
        return run_id

    def _write(self, kept: Kept, run_id: str, more: Mapping[str, float]) -> None:
        model = kept.model
        settings = {name: model[name] for name in ("precision", "device", "threads")}
        fixed = {"epochs": kept.cell.epochs, "seed": kept.cell.seed}
        params = {**kept.cell.params, "train_size": kept.cell.train_size, **fixed, **settings}
        self._store.log(run_id, params=params)
        steps = [
            tracking.Step(
                int(point["epoch"]),
                int(point["timestamp"]),
                {k: v for k, v in point.items() if k not in ("epoch", "timestamp")},
            )
            for point in kept.curves
        ]
        at_end = replace(steps[-1], metrics={**cell_metrics(kept), **more})
        self._store.log_steps(run_id, [*steps, at_end])
        for name in (MODEL, WEIGHTS, *([TEST_METRICS, TEST_OUTPUTS] if kept.tested else [])):
            self._store.log_file(run_id, kept.folder / name)


def _key(tags: Mapping[str, str]) -> tuple[str, ...]:
    return tags.get("kind", ""), tags.get("row", ""), tags.get("cell", "")

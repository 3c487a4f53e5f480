"""A rerun in MLflow: its own run, a run a cell, the registered champion.

Everything is written from the cells' folders and can be written again: what is there already is
found by its tags, and repeating an entry changes nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from search.cells.metrics import METRICS, TEST
from search.cells.opening import COMMAND
from search.cells.runs import CellRuns
from search.files.home import ROOT
from search.finals.best_rerun import write_result
from search.finals.plan import FinalPlan
from search.finals.results import Result, ResultRow
from search.spaces.pipeline import METRIC
from search.tracking import registry, views
from search.tracking.store import Store
from search.tracking.views import experiment_tags


class Records(CellRuns):
    """The rerun's run and its children."""

    def __init__(self, plan: FinalPlan, store: Store) -> None:
        self._plan = plan
        data, about = plan.data, experiment_tags(plan.pipeline, plan.data.source)
        tags = {"pipeline": plan.name, "data": data.label, "data_fingerprint": data.fingerprint}
        labels = str(plan.pipeline.uses_labels).lower()
        params = {
            "top": len(plan.candidates),
            "seeds": len(plan.seeds),
            "epochs": " ".join(map(str, plan.budgets)),
            "train_size": len(data.train),
            "candidates": "; ".join(c.source for c in plan.candidates)[:500],
        }
        super().__init__(
            plan,
            store,
            kind="rerun",
            name=f"final numbers of {plan.experiment}",
            experiment_id=store.experiment(plan.experiment, about),
            tags=tags,
            own=({"uses_labels": labels, COMMAND: plan.command}, params),
        )

    def record(self, row: ResultRow, tags: Mapping[str, str]) -> dict[str, str]:
        """Write the runs of a row's cells, or what is missing of them; returns cell id -> run's id.

        Args:
            tags: what else they bear; `champion` or `baseline`.
        """
        labels = str(row.uses_labels).lower()
        tags = {"kind": row.kind, "row": row.name, "uses_labels": labels, **tags}
        return {kept.cell.id: self.write(kept, row=row.name, tags=tags) for kept in row.kept}

    def register(self, row: ResultRow, run_ids: Mapping[str, str]) -> dict[str, str]:
        """Register the champion: of its seeds the one with the best validation accuracy.

        Args:
            run_ids: cell id -> its run.
        """
        kept = max(row.kept, key=lambda k: k.metrics[self._plan.pipeline.metric])
        run_id = run_ids[kept.cell.id]
        spec = self._plan.data.spec
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model"
            registry.save_model(
                kept.network(),
                model,
                example=torch.zeros(2, spec.channels, spec.size, spec.size),
                code=ROOT / "models",
            )
            self._store.log_folder(run_id, model, "model")
        name = self._plan.experiment
        version = registry.register(
            self._store,
            name,
            run_id=run_id,
            artifact="model",
            tags={"rerun": self._plan.id, "cell": kept.cell.id, "data": self._plan.data.label},
            description=f"{self._plan.pipeline.summary}. (B, C, H, W) in [0, 1] -> "
            f"{'(B, K) logits' if spec.classes else '(B, D) latents'}; "
            "`encoder`, `decoder` and `classifier` are its parts.",
        )
        return {"name": name, "version": version, "alias": registry.ALIAS, "cell": kept.cell.id}

    def conclude(self, result: Result) -> None:
        """The champion's means and intervals, the files, and the run is closed."""
        row = result.champion
        metrics: dict[str, float] = {}
        for metric in METRICS:
            estimate = row.estimate(metric)
            if estimate is None:
                continue
            metrics[metric] = estimate.mean
            if estimate.low is not None and estimate.high is not None:
                metrics |= {f"{metric}_low": estimate.low, f"{metric}_high": estimate.high}
        if result.optimism is not None:
            metrics["optimism/accuracy"] = result.optimism
        per_class = np.mean([kept.test.get("per_class", []) for kept in row.kept], axis=0)
        metrics |= {
            f"test/class/{name}": float(value)
            for name, value in zip(result.data.classes, per_class, strict=True)
        }
        view = views.final_view(rerun=self._plan.id, params=self._plan.pipeline.space)
        self._store.tag_experiment(self.experiment_id, views.tag(views.FINALS), view)
        self._store.log(
            self.run_id,
            metrics=metrics,
            # Always the same, so that a repeated rerun adds nothing.
            timestamp=max(kept.ended for kept in row.kept),
            tags={
                "champion_source": result.source,
                "model": f"models:/{result.model['name']}@{registry.ALIAS}" if result.model else "",
            },
        )
        best = {
            **result.best,
            "source": result.source,
            **{name: metrics[name] for name in (result.metric, METRIC, TEST) if name in metrics},
        }
        self._store.log_text(self.run_id, json.dumps(best, indent=2), "best.json")
        write_result(self._store, self.run_id, result.to_json())
        self.end("FINISHED")

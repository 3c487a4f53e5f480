"""The study's own run in MLflow, parent of its trials' runs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import optuna

from search import plots, provenance, run_table, study as studies, tracking
from search.cluster import ROOT
from search.errors import INTERRUPTED
from search.pipeline import Pipeline
from search.plan import Plan
from search.recorder import Recorder
from search.rungs import REDUCTION


class StudyRun:
    """Opened before the first trial (or reopened, for a resumed study), closed after the last.

    Args:
        plan: the search.
        store, experiment_id: where it is written.
        study: the study's name.
    """

    def __init__(self, plan: Plan, store: tracking.Store, experiment_id: str, study: str) -> None:
        self._plan = plan
        self._store = store
        self._experiment_id = experiment_id
        self._tags = {
            "pipeline": plan.pipeline_name,
            "study": study,
            "data": plan.data.source,
            "data_fingerprint": plan.data.fingerprint,
            "uses_labels": str(plan.pipeline.uses_labels).lower(),
            **provenance.source_tags(ROOT),
        }
        found = store.find_run(experiment_id, kind="study", study=study)
        if found:
            self._run_id = found
            store.reopen_run(found)
        else:
            self._run_id = self._start(study)

    def _start(self, study: str) -> str:
        plan = self._plan
        run_id = self._store.start_run(
            self._experiment_id,
            name=study,
            tags={
                **self._tags,
                **provenance.versions(),
                "kind": "study",
                "sampler": plan.sampler,
                "scheduler": plan.scheduler,
                "seed": str(plan.seed),
                "machine": provenance.machine(plan.resources.device),
                "mlflow.note.content": _note(plan.pipeline, plan.data.source),
            },
        )
        self._store.log(
            run_id,
            params={
                "epochs": plan.epochs,
                "train_size": len(plan.data.train),
                "precision": plan.resources.precision,
                "device": plan.resources.device,
                "threads": plan.resources.cpus_per_trial,
                "concurrency": plan.resources.concurrency,
                "reduction_factor": REDUCTION,
                "rungs": " ".join(map(str, plan.rungs)) or "none",
                "set": shlex.join(plan.settings) or "none",
            },
        )
        return run_id

    def trial_runs(self) -> dict[str, tracking.RunView]:
        """Trial id -> its newest run, of a study that was searched before."""
        runs = self._store.runs(self._experiment_id, parent=self._run_id, kind="trial")
        return {run.tags["trial_id"]: run for run in reversed(runs)}

    def recorder(
        self,
        folder: Path,
        runs: Mapping[str, tracking.RunView],
        away: Callable[[bool], None],
    ) -> Recorder:
        """The listener that writes the trials' runs; arguments as `Recorder` has them."""
        return Recorder(
            self._store,
            experiment_id=self._experiment_id,
            parent=self._run_id,
            tags=self._tags,
            params={"train_size": len(self._plan.data.train)},
            folder=folder,
            runs=runs,
            away=away,
        )

    def close(self, study: optuna.Study, status: int, *, seconds: float) -> None:
        """Counts, the best trial, the plots; then the run ends, and whatever is open under it."""
        counts = studies.counts(study)
        ended = sum(counts.values())
        metric = self._plan.pipeline.metric
        metrics = {f"trials/{s.lower()}": float(counts[s]) for s in ("COMPLETE", "PRUNED", "FAIL")}
        metrics["time/seconds"] = seconds
        tags = {}
        for best in studies.best_trials(study, 1):
            config = best.user_attrs[studies.CONFIG]
            metrics[f"best/{metric}"] = best.value or 0.0
            tags = {"best_trial": str(best.number), "best_trial_id": config["trial_id"]}
            self._store.log_text(self._run_id, json.dumps(config, indent=2), "best.json")
        self._store.log(self._run_id, metrics=metrics, tags=tags)
        if ended:
            title = f"{study.study_name}: {metric} of {ended} trials"
            page = plots.page(study, metric=metric, title=title)
            self._store.log_text(self._run_id, page, "search.html")
        for run_id in self._store.open_children(self._experiment_id, self._run_id):
            self._store.end_run(run_id, "KILLED")  # the store refused its end
        states = {0: "FINISHED", INTERRUPTED: "KILLED"}
        self._store.end_run(self._run_id, states.get(status, "FAILED"))


def experiment_tags(pipeline: Pipeline, source: str) -> dict[str, str]:
    """What a new experiment is given: a description and a table that shows what matters.

    Args:
        source: of the data, `real` or `mini`.
    """
    view = run_table.trial_view(metric=pipeline.metric, params=pipeline.space)
    return {"mlflow.note.content": _note(pipeline, source), run_table.tag(run_table.TRIALS): view}


def _note(pipeline: Pipeline, source: str) -> str:
    stand_in = "**Stand-in data, not a result.** " if source == "mini" else ""
    return f"{stand_in}{pipeline.summary}. The artifact `search.html` of a study has its plots."

"""The study's own run in MLflow, parent of its trials' runs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from search.cluster.resources import Resources
from search.errors import INTERRUPTED
from search.files.home import ROOT
from search.spaces.goals import FRONT, Goal
from search.spaces.pipeline import OBJECTIVE
from search.study import plots, study as studies
from search.study.study import Study
from search.tracking import provenance
from search.tracking.recorder import Recorder
from search.tracking.store import RunView, Store
from search.tracking.views import _note
from search.tuning.plan import Plan
from trainers import protocol


class StudyRun:
    """The study's run: opened or reopened before the first trial, closed after the last.

    Attributes:
        seconds: how long earlier calls searched, without those that were killed.
    """

    seconds = 0.0

    def __init__(
        self, plan: Plan, resources: Resources, store: Store, experiment_id: str, study: str
    ) -> None:
        self._plan = plan
        self._resources = resources
        self._store = store
        self._experiment_id = experiment_id
        self._tags = {
            "pipeline": plan.pipeline_name,
            "study": study,
            "data": plan.data.label,
            "data_fingerprint": plan.data.fingerprint,
            "protocol": str(protocol.VERSION),
            "uses_labels": str(plan.pipeline.uses_labels).lower(),
            **{k: " ".join(aims) for k, aims in plan.aims.to_json(plan.pipeline.metric).items()},
            **({provenance.TWIN_OF: plan.twin_of} if plan.twin_of else {}),
            **provenance.pipeline_tags(plan.pipeline_name),
            **provenance.source_tags(ROOT),
        }
        known = store.runs(experiment_id, limit=1, kind="study", study=study)
        if known:
            self._run_id = known[0].run_id
            self.seconds = known[0].metrics.get("time/seconds", 0.0)
            store.reopen_run(self._run_id)
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
                **({"from": plan.known.source} if plan.known else {}),
                "machine": provenance.machine(self._resources.device),
                "mlflow.note.content": _note(plan.pipeline, plan.data.label),
            },
        )
        self._store.log(
            run_id,
            params={
                "epochs": plan.epochs,
                "train_size": len(plan.data.train),
                **self._resources.of_a_trial(),
                "concurrency": self._resources.concurrency,
                "rungs": " ".join(map(str, plan.rungs)) or "none",
                "set": shlex.join(plan.settings) or "none",
            },
        )
        return run_id

    def trial_runs(self) -> dict[str, RunView]:
        """Trial id -> its newest run, in a resumed study."""
        runs = self._store.runs(self._experiment_id, parent=self._run_id, kind="trial")
        return {run.tags["trial_id"]: run for run in reversed(runs)}

    def recorder(
        self,
        folder: Path,
        runs: Mapping[str, RunView],
        unreachable: Callable[[bool], None],
    ) -> Recorder:
        """The listener that writes the trials' runs; the arguments are those of `Recorder`."""
        return Recorder(
            self._store,
            experiment_id=self._experiment_id,
            parent=self._run_id,
            tags=self._tags,
            params={"train_size": len(self._plan.data.train)},
            folder=folder,
            runs=runs,
            unreachable=unreachable,
        )

    def draw(self, study: Study) -> str | None:
        """The page of plots; None if no trial has ended."""
        ended = len(studies.trained(study))
        metrics = " and ".join(goal.metric for goal in self._plan.aims.goals)
        title = f"{study.study_name}: {metrics} of {ended} trials"
        return plots.page(study, title=title) if ended else None

    def close(self, study: Study, status: int, *, page: str | None, seconds: float) -> None:
        """Write counts, best trial and plots; then end the run and the open runs below it."""
        counts = studies.counts(study)
        metrics = {f"trials/{s.lower()}": float(counts[s]) for s in ("COMPLETE", "PRUNED", "FAIL")}
        metrics["time/seconds"] = self.seconds = self.seconds + seconds
        metrics["trials/refused"] = float(len(studies.refused(study)))
        tags, aims, best = {}, self._plan.aims, studies.best_trials(study)
        if aims.several:
            self._tag_front({trial.user_attrs[studies.CONFIG]["trial_id"] for trial in best})
        elif best:
            config = best[0].user_attrs[studies.CONFIG]
            usual = aims.goals == (Goal(self._plan.pipeline.metric),)
            metrics[OBJECTIVE if usual else aims.metric] = best[0].values[0]
            tags = {"best_trial": str(best[0].number), "best_trial_id": config["trial_id"]}
            self._store.log_text(self._run_id, json.dumps(config, indent=2), "best.json")
        self._store.log(self._run_id, metrics=metrics, tags=tags)
        if page:
            self._store.log_text(self._run_id, page, "search.html")
        state = {0: "FINISHED", INTERRUPTED: "KILLED"}.get(status, "FAILED")
        # A trial's run is still open if the store refused its end.
        self._store.end_with_children(self._experiment_id, self._run_id, state)

    def _tag_front(self, front: set[str]) -> None:
        for trial_id, run in self.trial_runs().items():
            if (run.tags.get(FRONT) == "true") != (trial_id in front):
                self._store.log(run.run_id, tags={FRONT: str(trial_id in front).lower()})

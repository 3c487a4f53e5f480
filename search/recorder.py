"""Writes what happens to the trials into MLflow, from a thread of its own."""

from __future__ import annotations

import json
import logging
import queue
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from search.outcomes import Outcome
from search.tracking import STATUS, RunView, Store
from search.trial import TrialConfig

log = logging.getLogger(__name__)

EVERY_EPOCH = "train/loss"  # is in the batch of every epoch, whole or not at all


class Recorder:
    """A listener: one MLflow run a trial, below the study's.

    Calls return at once; a thread works through them in order, so that a slow store never holds
    up a search. What the store refuses is counted, written to the log and told at the end.

    Args:
        store: an open store.
        experiment_id: the pipeline's experiment.
        parent: the study's run.
        tags: borne by every trial's run.
        params: logged with every trial's hyperparameters.
        folder: has a folder for each trial under way; that of a trial is removed once all that it
            holds is in the store.
        runs: trial id -> run, of those that have one already.
    """

    def __init__(
        self,
        store: Store,
        *,
        experiment_id: str,
        parent: str,
        tags: Mapping[str, str],
        params: Mapping[str, object],
        folder: Path,
        runs: Mapping[str, RunView],
    ) -> None:
        self._store = store
        self._experiment_id = experiment_id
        self._parent = parent
        self._tags = dict(tags)
        self._params = dict(params)
        self._folder = folder
        self._known = dict(runs)
        self._runs: dict[str, str] = {}
        self._written: dict[str, set[int]] = {}  # steps that a reopened run has
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.failures = 0
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def trial_started(self, config: TrialConfig) -> None:
        """Open the trial's run."""
        self._queue.put(lambda: self._start(config))

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None:
        """One batch with the epoch's metrics."""
        self._queue.put(lambda: self._log_epoch(config.trial_id, metrics))

    def trial_ended(self, config: TrialConfig, outcome: Outcome) -> None:
        """The state, the reason, the weights; then the run is closed."""
        self._queue.put(lambda: self._end(config, outcome))

    def close(self) -> None:
        """Wait until everything is written."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            try:
                job()
            except Exception:  # whatever the store raises must not stop the search
                self.failures += 1
                log.exception("MLflow refused a record")

    def _start(self, config: TrialConfig) -> None:
        known = self._known.get(config.trial_id)
        if known:
            run_id = known.run_id
            self._store.reopen_run(run_id)
            self._written[config.trial_id] = set(self._store.history(run_id, EVERY_EPOCH))
        else:
            run_id = self._store.start_run(
                self._experiment_id,
                name=f"trial {config.number:03d}",
                parent=self._parent,
                tags={
                    **self._tags,
                    "kind": "trial",
                    "trial_number": str(config.number),
                    "trial_id": config.trial_id,
                },
            )
        self._runs[config.trial_id] = run_id
        settings = {
            "epochs": config.epochs,
            "seed": config.seed,
            "precision": config.precision,
            "device": config.device,
            "threads": config.threads,
        }
        params = {**config.params, **self._params, **settings}
        written = known.params if known else {}  # MLflow refuses to change one
        self._store.log(
            run_id,
            params={name: value for name, value in params.items() if name not in written},
            tags={"trial_state": "RUNNING"},
        )

    def _log_epoch(self, trial_id: str, metrics: Mapping[str, float]) -> None:
        step = int(metrics["epoch"])
        if step in self._written.get(trial_id, ()):
            return  # a trial that was interrupted tells its first epochs again
        kept = {name: value for name, value in metrics.items() if name != "epoch"}
        self._store.log(self._runs[trial_id], metrics=kept, step=step)

    def _end(self, config: TrialConfig, outcome: Outcome) -> None:
        run_id = self._runs[config.trial_id]
        tags: dict[str, str] = {"trial_state": outcome.state}
        if outcome.error:
            tags["error"] = outcome.error[:5000]
        self._store.log(run_id, tags=tags)
        if outcome.traceback:
            self._store.log_text(run_id, outcome.traceback, "error.txt")
        if outcome.weights:
            self._store.log_file(run_id, Path(outcome.weights))
        if outcome.state == "COMPLETE":
            text = json.dumps(config.to_json(), indent=2)
            self._store.log_text(run_id, text, "config.json")
        self._store.end_run(run_id, STATUS[outcome.state])
        if outcome.state != "INTERRUPTED":
            shutil.rmtree(self._folder / config.trial_id, ignore_errors=True)

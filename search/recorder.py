"""Writes what happens to the trials into MLflow, from a thread of its own."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from search.proposals import Outcome
from search.tracking import STATUS, Store
from search.trial import TrialConfig

log = logging.getLogger(__name__)


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
        resumed: trial ids that may have a run already.
    """

    def __init__(
        self,
        store: Store,
        *,
        experiment_id: str,
        parent: str,
        tags: Mapping[str, str],
        params: Mapping[str, object],
        resumed: set[str],
    ) -> None:
        self._store = store
        self._experiment_id = experiment_id
        self._parent = parent
        self._tags = dict(tags)
        self._params = dict(params)
        self._resumed = resumed
        self._runs: dict[str, str] = {}
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.failures = 0
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def trial_started(self, config: TrialConfig) -> None:
        """Open the trial's run."""
        self._queue.put(lambda: self._start(config))

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None:
        """One batch with the epoch's metrics."""
        kept = {name: value for name, value in metrics.items() if name != "epoch"}
        step = int(metrics["epoch"])
        self._queue.put(
            lambda: self._store.log(self._runs[config.trial_id], metrics=kept, step=step)
        )

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
        run_id = None
        if config.trial_id in self._resumed:
            run_id = self._store.find_run(self._experiment_id, trial_id=config.trial_id)
        if run_id:
            self._store.reopen_run(run_id)
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
        self._store.log(
            run_id,
            params={**config.params, **self._params, **settings},
            tags={"trial_state": "RUNNING"},
        )

    def _end(self, config: TrialConfig, outcome: Outcome) -> None:
        run_id = self._runs[config.trial_id]
        tags: dict[str, str] = {"trial_state": outcome.state}
        if outcome.error:
            tags["error"] = outcome.error[:5000]
        self._store.log(run_id, tags=tags)
        if outcome.traceback:
            self._store.log_text(run_id, outcome.traceback, "error.txt")
        if outcome.weights:
            file = Path(outcome.weights)
            named = file.with_name("weights.safetensors")
            file.rename(named)
            self._store.log_file(run_id, named)
            named.unlink()
            text = json.dumps(config.to_json(), indent=2)
            self._store.log_text(run_id, text, "config.json")
        self._store.end_run(run_id, STATUS[outcome.state])

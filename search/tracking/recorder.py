"""Writes what happens to the trials into MLflow, from a thread of its own.

A batch costs MLflow 5 ms however little is in it, and the thread shares an interpreter with the
search: so an epoch waits a little for its trial's next ones.

While the store is away the search goes on. What is to be recorded waits in order, and every record
bears the time at which it happened, so that writing it a second time changes nothing. All of it is
on the disk as well, in Optuna's study and in the trials' folders: if the driver ends first, the
next one that opens the study tells it again (`recovery.py`).
"""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from search import faults
from search.outcomes import Outcome
from search.tracking import STATUS, RunView, Step, Store, is_away, now
from search.trial import TrialConfig

log = logging.getLogger(__name__)

BATCH_SECONDS = 10.0  # that an epoch waits at most
EVERY_EPOCH = "train/loss"  # is in the batch of every epoch, whole or not at all
PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds before a record is tried again; doubled each time
TRIES = 5  # of a record that fails though the store answers
PATIENCE = "60"  # seconds that the end of a search waits for a store that is away
VARIABLE = "LATENT_SEARCH_PATIENCE"  # of the environment: other seconds


class _Epoch(NamedTuple):
    """What a trial reported."""

    trial_id: str
    step: Step


class Recorder:
    """A listener: one MLflow run a trial, below the study's.

    Calls return at once; a thread works through them in order, so that a slow store never holds
    up a search, and one that is away is waited for. What the store refuses is counted, written to
    the log and told at the end.

    Args:
        store: an open store.
        experiment_id: the pipeline's experiment.
        parent: the study's run.
        tags: borne by every trial's run.
        params: logged with every trial's hyperparameters.
        folder: has a folder for each trial under way; that of a trial is removed once all that it
            holds is in the store.
        runs: trial id -> run, of those that have one already.
        away: told when the store no longer answers (True), and when it does again (False).

    Attributes:
        failures: records that the store refused.
        undelivered: records that `close` left, the store being away.
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
        away: Callable[[bool], None] | None = None,
    ) -> None:
        self._store = store
        self._experiment_id = experiment_id
        self._parent = parent
        self._tags = dict(tags)
        self._params = dict(params)
        self._folder = folder
        self._known = dict(runs)
        self._runs: dict[str, str] = {}
        self._tried: set[str] = set()  # trials whose run was asked for
        self._written: dict[str, set[int]] = {}  # steps that a reopened run has
        self._queue: queue.SimpleQueue[_Epoch | Callable[[], None] | None] = queue.SimpleQueue()
        self._epochs: dict[str, list[Step]] = {}  # by trial; wait for `_due`
        self._due = float("inf")
        self._patience = float(os.environ.get(VARIABLE, PATIENCE))
        self._away = away
        self._deadline = float("inf")
        self._closing = threading.Event()
        self.failures = 0
        self.undelivered = 0
        self._given_up = False  # the search is over and the store is away
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def trial_started(self, config: TrialConfig) -> None:
        """Open the trial's run."""
        when = now()
        self._queue.put(lambda: self._attempt(lambda: self._start(config, when)))

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None:
        """The epoch's metrics."""
        kept = {name: value for name, value in metrics.items() if name != "epoch"}
        self._queue.put(_Epoch(config.trial_id, Step(int(metrics["epoch"]), now(), kept)))

    def trial_ended(self, config: TrialConfig, outcome: Outcome) -> None:
        """The state, the reason, the weights; then the run is closed."""
        when = now()
        self._queue.put(lambda: self._log_epochs(config.trial_id))
        self._queue.put(lambda: self._attempt(lambda: self._end(config, outcome, when)))

    def close(self) -> None:
        """Wait until everything is written, or the store was away for too long."""
        self._queue.put(None)
        self._deadline = time.monotonic() + self._patience
        self._closing.set()
        self._thread.join()

    def _work(self) -> None:
        while True:
            try:
                job = self._queue.get(timeout=self._pause())
            except queue.Empty:
                self._log_all_epochs()
                continue
            if isinstance(job, _Epoch):
                self._collect(job)
            elif job is not None:
                job()
            else:
                self._log_all_epochs()
                return

    def _pause(self) -> float | None:
        """Seconds until what waits is due, None where nothing does."""
        return max(0.0, self._due - time.monotonic()) if self._epochs else None

    def _collect(self, epoch: _Epoch) -> None:
        if epoch.step.step in self._written.get(epoch.trial_id, ()):
            return  # a trial that was interrupted tells its first epochs again
        if not self._epochs:
            self._due = time.monotonic() + BATCH_SECONDS
        self._epochs.setdefault(epoch.trial_id, []).append(epoch.step)
        if time.monotonic() >= self._due:
            self._log_all_epochs()

    def _log_all_epochs(self) -> None:
        for trial_id in list(self._epochs):
            self._log_epochs(trial_id)

    def _log_epochs(self, trial_id: str) -> None:
        """Write what waits of a trial; if the store refuses it, each epoch by itself."""
        steps = self._epochs.pop(trial_id, [])

        def write(some: Sequence[Step]) -> None:
            self._store.log_steps(self._runs[trial_id], some)

        if len(steps) > 1 and not self._given_up:
            try:
                self._deliver(partial(write, steps))
                return
            except TimeoutError:
                self._given_up = True
            except Exception:
                log.warning("MLflow refused %d epochs at once", len(steps))
        for step in steps:
            self._attempt(partial(write, [step]))

    def _attempt(self, job: Callable[[], None]) -> None:
        """Do it, or count it among what is not to be written."""
        if not self._given_up:  # else not this one either: in order or not at all
            try:
                self._deliver(job)
                return
            except TimeoutError:
                self._given_up = True
            except Exception:  # whatever the store raises must not stop the search
                self.failures += 1
                log.exception("MLflow refused a record")
                return
        self.undelivered += 1

    def _deliver(self, job: Callable[[], None]) -> None:
        """Do it, again and again while the store is away.

        Raises:
            TimeoutError: it is away and the search is over.
            Exception: the store refuses it.
        """
        tries, pause, told = 0, PAUSE, False
        while True:
            try:
                job()
                break
            except Exception as error:
                tries += 1
                if not is_away(error) or (tries >= TRIES and self._store.answers()):
                    raise
                log.warning("MLflow does not answer: %s", error)
            if self._away and not told:
                told = True
                self._away(True)
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            # Once the search is over, `close` has set the event and a plain sleep is what is left.
            if self._closing.is_set():
                time.sleep(min(pause, left))
            else:
                self._closing.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        if self._away and told:
            self._away(False)

    def _start(self, config: TrialConfig, when: int) -> None:
        known = self._known.get(config.trial_id)
        if known:
            run_id = known.run_id
            self._store.reopen_run(run_id)
            self._written[config.trial_id] = set(self._store.history(run_id, EVERY_EPOCH))
        else:
            run_id = self._begun(config) or self._store.start_run(
                self._experiment_id,
                name=f"trial {config.number:03d}",
                parent=self._parent,
                tags={
                    **self._tags,
                    "kind": "trial",
                    "trial_number": str(config.number),
                    "trial_id": config.trial_id,
                },
                began=when,
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

    def _begun(self, config: TrialConfig) -> str | None:
        """The run that an earlier try made, whose answer was lost with the store."""
        if config.trial_id not in self._tried:
            self._tried.add(config.trial_id)
            return None
        return self._store.find_run(self._experiment_id, trial_id=config.trial_id)

    def _end(self, config: TrialConfig, outcome: Outcome, when: int) -> None:
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
        faults.reach("closing")
        self._store.end_run(run_id, STATUS[outcome.state], ended=when)
        if outcome.state != "INTERRUPTED":
            shutil.rmtree(self._folder / config.trial_id, ignore_errors=True)

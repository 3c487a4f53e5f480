"""Write the trials' events into MLflow, from a thread of its own.

A batch costs MLflow 5 ms however small it is, and the thread shares an interpreter with the search,
so an epoch waits a little for its trial's next epochs.

While the store is unreachable the search goes on. The records wait in order, and every record has
the time of its event, so that writing it a second time changes nothing. Optuna's study and the
trials' folders hold the same records on the disk: if the driver ends first, the next driver that
opens the study records them (`backfill.py`).
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

from search.files import fault_injection, seals
from search.spaces import goals
from search.tracking.store import STATUS, RunView, Step, Store, is_unreachable, now
from search.trials.config import TrialConfig
from search.trials.outcome import TrialOutcome

log = logging.getLogger(__name__)

BATCH_SECONDS = 10.0  # an epoch waits at most this long
EVERY_EPOCH = "train/loss"  # a metric in the batch of every epoch; MLflow writes a batch as a whole
PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds before the next try of a record; the pause doubles
TRIES = 5  # tries of a record that fails though the store answers
TIMEOUT = "60"  # seconds that the end of a search waits for an unreachable store
VARIABLE = "LATENT_SEARCH_PATIENCE"  # the environment variable that replaces TIMEOUT


class _Epoch(NamedTuple):
    """A trial's reported epoch."""

    trial_id: str
    step: Step


class Recorder:
    """A listener that writes one MLflow run a trial, below the study's.

    Calls return at once; a thread processes them in order, so that a slow store never delays the
    search. The thread waits for an unreachable store. It counts and logs the records that the store
    refuses.

    Args:
        parent: the study's run.
        tags: the tags of every trial's run.
        params: logged with every trial's hyperparameters.
        folder: holds a folder for each trial under way; the recorder removes a trial's folder once
            the store has all its records.
        runs: trial id -> run, of the trials that have a run already.
        unreachable: called with True when the store stops answering, and with False when it answers
            again.

    Attributes:
        failures: the number of records that the store refused.
        undelivered: the number of records that `close` gave up, the store being unreachable.
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
        unreachable: Callable[[bool], None] | None = None,
    ) -> None:
        self._store = store
        self._experiment_id = experiment_id
        self._parent = parent
        self._tags = dict(tags)
        self._params = dict(params)
        self._folder = folder
        self._known = dict(runs)
        self._runs: dict[str, str] = {}
        self._tried: set[str] = set()  # trials whose run the recorder tried to create
        self._written: dict[str, set[int]] = {}  # steps in a reopened run
        self._queue: queue.SimpleQueue[_Epoch | Callable[[], None] | None] = queue.SimpleQueue()
        self._epochs: dict[str, list[Step]] = {}  # by trial; they wait until `_due`
        self._due = float("inf")
        self._timeout = float(os.environ.get(VARIABLE, TIMEOUT))
        self._unreachable = unreachable
        self._deadline = float("inf")
        self._closing = threading.Event()
        self.failures = 0
        self.undelivered = 0
        self._given_up = False  # the search is over and the store is unreachable
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def trial_started(self, config: TrialConfig) -> None:
        """Open the trial's run."""
        when = now()
        self._queue.put(lambda: self._attempt(lambda: self._start(config, when)))

    def epoch_ended(self, config: TrialConfig, metrics: Mapping[str, float]) -> None:
        """Record the epoch's metrics."""
        kept = {name: value for name, value in metrics.items() if name != "epoch"}
        self._queue.put(_Epoch(config.trial_id, Step(int(metrics["epoch"]), now(), kept)))

    def trial_ended(self, config: TrialConfig, outcome: TrialOutcome) -> None:
        """Record the state, the reason and the weights; then close the run."""
        when = now()
        self._queue.put(lambda: self._log_epochs(config.trial_id))
        self._queue.put(lambda: self._attempt(lambda: self._end(config, outcome, when)))

    def close(self) -> None:
        """Wait until all records are written, or until the timeout for an unreachable store."""
        self._queue.put(None)
        self._deadline = time.monotonic() + self._timeout
        self._closing.set()
        self._thread.join()

    def deliver(self, job: Callable[[], None]) -> None:
        """Write a record here and now; repeat it while the store is unreachable.

        After `close` the time that is left of its patience is what this may take.

        Raises:
            TimeoutError: the store is unreachable and the search is over.
            Exception: the store refuses the record.
        """
        tries, pause, reported = 0, PAUSE, False
        while True:
            try:
                job()
                break
            except Exception as error:
                tries += 1
                if not is_unreachable(error) or (tries >= TRIES and self._store.answers()):
                    raise
                log.warning("MLflow does not answer: %s", error)
            if self._unreachable and not reported:
                reported = True
                self._unreachable(True)
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            # After the search `close` has set the event, so that waiting for it would not pause.
            if self._closing.is_set():
                time.sleep(min(pause, left))
            else:
                self._closing.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        if self._unreachable and reported:
            self._unreachable(False)

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
        """Seconds until the waiting epochs are due, None if none waits."""
        return max(0.0, self._due - time.monotonic()) if self._epochs else None

    def _collect(self, epoch: _Epoch) -> None:
        if epoch.step.step in self._written.get(epoch.trial_id, ()):
            return  # a resumed trial reports its first epochs again
        if not self._epochs:
            self._due = time.monotonic() + BATCH_SECONDS
        self._epochs.setdefault(epoch.trial_id, []).append(epoch.step)
        if time.monotonic() >= self._due:
            self._log_all_epochs()

    def _log_all_epochs(self) -> None:
        for trial_id in list(self._epochs):
            self._log_epochs(trial_id)

    def _log_epochs(self, trial_id: str) -> None:
        """Write a trial's waiting epochs; if the store refuses them, each epoch by itself."""
        steps = self._epochs.pop(trial_id, [])

        def write(some: Sequence[Step]) -> None:
            self._store.log_steps(self._runs[trial_id], some)

        if len(steps) > 1 and not self._given_up:
            try:
                self.deliver(partial(write, steps))
                return
            except TimeoutError:
                self._given_up = True
            except Exception:
                log.warning("MLflow refused %d epochs at once", len(steps))
        for step in steps:
            self._attempt(partial(write, [step]))

    def _attempt(self, job: Callable[[], None]) -> None:
        """Write a record, or count it as refused or undelivered."""
        if not self._given_up:  # keep order: once one record is given up, all later ones are
            try:
                self.deliver(job)
                return
            except TimeoutError:
                self._given_up = True
            except Exception:  # no exception of the store may stop the search
                self.failures += 1
                log.exception("MLflow refused a record")
                return
        self.undelivered += 1

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
        names = ("epochs", "seed", "precision", "device", "threads")
        settings = {name: getattr(config, name) for name in names}
        params = {**config.params, **self._params, **settings}
        written = known.params if known else {}  # MLflow refuses to change one
        self._store.log(
            run_id,
            params={name: value for name, value in params.items() if name not in written},
            tags={"trial_state": "RUNNING"},
        )

    def _begun(self, config: TrialConfig) -> str | None:
        """The run that an earlier try created, if the store's answer to that try was lost."""
        if config.trial_id not in self._tried:
            self._tried.add(config.trial_id)
            return None
        return self._store.find_run(self._experiment_id, trial_id=config.trial_id)

    def _end(self, config: TrialConfig, outcome: TrialOutcome, when: int) -> None:
        run_id = self._runs[config.trial_id]
        tags: dict[str, str] = {"trial_state": outcome.state}
        metrics = {}
        if outcome.violations:
            tags[goals.FEASIBLE] = str(not outcome.beyond).lower()
            limits = {goals.Limit.parse(text): share for text, share in outcome.violations.items()}
            metrics = {limit.key: limit.amount(share) for limit, share in limits.items()}
        if outcome.error:
            tags["error"] = outcome.error[:5000]
        if outcome.weights:
            tags[seals.WEIGHTS_TAG] = seals.file_hash(Path(outcome.weights))
        self._store.log(run_id, tags=tags, metrics=metrics)
        if outcome.traceback:
            self._store.log_text(run_id, outcome.traceback, "error.txt")
        if outcome.weights:
            self._store.log_file(run_id, Path(outcome.weights))
        if outcome.state == "COMPLETE":
            text = json.dumps(config.to_json(), indent=2)
            self._store.log_text(run_id, text, "config.json")
        fault_injection.reach("closing")
        self._store.end_run(run_id, STATUS[outcome.state], ended=when)
        if outcome.state != "INTERRUPTED":
            shutil.rmtree(self._folder / config.trial_id, ignore_errors=True)

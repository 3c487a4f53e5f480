"""The bridge between Ray and Optuna: asks the study for trials and tells it how each ended.

Ray's own `OptunaSearch` tells Optuna that a trial stopped at a rung is complete, and leaves one
without a finite value running for ever. Here a trial is COMPLETE when it trained all its epochs,
PRUNED when the scheduler stopped it, FAIL when it broke, and goes back into the queue when the
search ended before it did.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from search import faults, spaces, study as studies
from search.ledger import Ledger
from search.outcomes import Listener, Outcome, outcome_of, reported_metrics
from search.pipeline import Scalar
from search.trial import TrialConfig

FRESH_DRAWS = 1000  # attempts to find an untried configuration when the sampler repeats one


@dataclass
class _Live:
    """A trial between its proposal and its end."""

    config: TrialConfig
    trial: optuna.trial.Trial
    epoch: int = 0
    value: float | None = None
    measured: frozenset[int] = frozenset()  # epochs that Optuna knows from before


class Proposals(Searcher):
    """A Ray searcher over an Optuna study.

    Args:
        study: the study to ask and tell.
        space: what may be proposed.
        make_config: (trial id, number, parameters) -> all that the worker needs.
        metric: what is maximised.
        listeners: told of every start, epoch and end.
        seed: for the search of an untried configuration.

    Attributes:
        stopped: ids of Ray's trials that the scheduler stopped; the scheduler fills it.
        exhausted: whether every configuration of the space has been tried.
        broken: why no further trial can be kept, None while they can.
    """

    def __init__(
        self,
        study: optuna.Study,
        *,
        space: spaces.Space,
        make_config: Callable[[str, int, Mapping[str, Scalar]], TrialConfig],
        metric: str,
        listeners: Sequence[Listener],
        seed: int,
    ) -> None:
        super().__init__(metric=metric, mode="max")
        self._study = study
        self._ledger = Ledger(study)
        self._space = dict(space)
        self._make_config = make_config
        self._objective = metric
        self.stopped: set[str] = set()
        self._listeners = listeners
        self._rng = np.random.default_rng(seed)
        self._live: dict[str, _Live] = {}
        self._tried = {
            spaces.key(trial.params)
            for trial in self._ledger.trials
            if trial.state is not TrialState.WAITING
        }
        self.exhausted = False
        self.broken: str | None = None
        self.closed = False

    # What Ray calls ------------------------------------------------------------------------

    def suggest(  # type: ignore[override]
        self, trial_id: str
    ) -> dict[str, Any] | str:
        """The next configuration, or FINISHED when every one of the space has been tried."""
        if self.closed:
            return Searcher.FINISHED
        trial = self._ask()
        if trial is None:
            self.exhausted = True
            return Searcher.FINISHED
        config = self._configure(trial)
        self._ledger.keep(trial)
        before = self._ledger.trials[trial.number].intermediate_values
        self._live[trial_id] = _Live(config=config, trial=trial, measured=frozenset(before))
        faults.reach("proposed")
        for listener in self._listeners:
            listener.trial_started(config)
        return config.to_json()

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A trial goes on after this epoch."""
        self._record(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A trial ended; `result` is its last epoch, which may have been reported before."""
        if result:
            self._record(trial_id, result)
        live = self._live.pop(trial_id, None)
        if live is None:
            return
        outcome = outcome_of(
            result or {},
            metric=self._objective,
            value=live.value,
            trained=live.epoch >= live.config.epochs,
            pruned=trial_id in self.stopped,
            died=error,
        )
        if outcome.state == "INTERRUPTED" and outcome.error:
            self.broken, self.closed = outcome.error, True
        self._tell(live, outcome)
        faults.reach("ended")
        for listener in self._listeners:
            listener.trial_ended(live.config, outcome)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is the memory."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study is the memory."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray writes its searcher to disk now and then and is never asked to read it."""
        return {}

    def decided(self, trial_id: str) -> frozenset[int]:
        """The epochs that a resumed trial had reported before and was allowed to go on after."""
        live = self._live.get(trial_id)
        return live.measured if live else frozenset()

    # What the driver calls -----------------------------------------------------------------

    def reported_before(self) -> dict[str, dict[int, float]]:
        """What the study's ended trials reported: id -> epoch -> value."""
        return {
            f"optuna {trial.number}": dict(trial.intermediate_values)
            for trial in studies.trained(self._study)
        }

    def interrupt(self) -> None:
        """End what is under way as INTERRUPTED: the search is over before these trials are."""
        self.closed = True
        for trial_id in list(self._live):
            self.on_trial_complete(trial_id)
        self._ledger.requeue_running()

    # ---------------------------------------------------------------------------------------

    def _ask(self) -> optuna.trial.Trial | None:
        trial = self._ledger.ask(self._space)
        key = spaces.key(trial.params)
        resumed = studies.CONFIG in trial.user_attrs
        if key not in self._tried or resumed:
            self._tried.add(key)
            return trial
        # A repeated proposal would teach nothing. It is told as failed, which samplers leave
        # out of their models, and an untried configuration is drawn at random instead.
        self._ledger.tell(
            trial, TrialState.FAIL, attributes={studies.DUPLICATE: self._number_of(key)}
        )
        for _ in range(FRESH_DRAWS):
            params = spaces.draw(self._space, self._rng)
            if spaces.key(params) not in self._tried:
                self._ledger.enqueue(params)
                return self._ask()
        return None

    def _number_of(self, key: str) -> int:
        return next(
            trial.number
            for trial in self._ledger.trials
            if trial.state is not TrialState.WAITING and spaces.key(trial.params) == key
        )

    def _configure(self, trial: optuna.trial.Trial) -> TrialConfig:
        # One that was interrupted keeps its id, and its seed follows from its number; where it
        # runs follows from the machine that goes on with it.
        stored = trial.user_attrs.get(studies.CONFIG)
        unique = stored["trial_id"] if stored else uuid.uuid4().hex[:12]
        config = self._make_config(unique, trial.number, trial.params)
        trial.set_user_attr(studies.CONFIG, config.to_json())
        return config

    def _record(self, trial_id: str, result: dict[str, Any]) -> None:
        live = self._live.get(trial_id)
        epoch = int(result.get("epoch", 0))
        # Seen already: Ray repeats the last result at the end, and a trial whose process died
        # reports its first epochs once more.
        if live is None or epoch <= live.epoch:
            return
        live.epoch = epoch
        value = result.get(self._objective)
        if value is not None and math.isfinite(value):
            live.value = float(value)
            if epoch not in live.measured:
                self._ledger.report(live.trial, live.value, epoch)
        faults.reach("reported")
        metrics = reported_metrics(result)
        for listener in self._listeners:
            listener.epoch_ended(live.config, {"epoch": epoch, **metrics})

    def _tell(self, live: _Live, outcome: Outcome) -> None:
        if outcome.state == "INTERRUPTED":
            self._ledger.requeue(live.trial)
        elif outcome.state == "COMPLETE":
            self._ledger.tell(live.trial, TrialState.COMPLETE, outcome.value)
        elif outcome.state == "PRUNED":
            self._ledger.tell(live.trial, TrialState.PRUNED)
        else:
            self._ledger.tell(
                live.trial, TrialState.FAIL, attributes={studies.ERROR: outcome.error}
            )

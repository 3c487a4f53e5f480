"""A source of trials that asks an Optuna study for them and reports their results to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

import numpy as np
import optuna
from optuna.trial import TrialState

from search.spaces import goals, space as spaces
from search.spaces.pipeline import Scalar
from search.study import study as studies
from search.study.cached_study import CachedStudy
from search.trials.config import TrialConfig
from search.trials.outcome import TrialOutcome

FRESH_DRAWS = 1000  # attempts to draw an untried configuration that may be trained
REFUSALS = 20  # proposals in a row that the sampler may make beyond a limit


class StudyTrials:
    """A source of trials (`search.cluster.searcher.TrialSource`) that asks a study.

    Args:
        study: the study to ask and tell.
        space: the parameters and values that may be proposed.
        make_config: (trial id, number, parameters) -> the worker's configuration.
        seed: for drawing an untried configuration.
        violations: parameters -> the limits that are known before training, by how much they are
            exceeded. A proposal beyond one is told as pruned and not trained. It does not count as
            a trial, or a search of mostly refused proposals would end with nothing; after
            `REFUSALS` in a row one that keeps the limits is drawn at random, which is found or not
            in `FRESH_DRAWS` draws: so each trial costs a bounded number of proposals.

    Attributes:
        exhausted: whether no configuration is left that is untried and keeps the limits.
    """

    def __init__(
        self,
        study: optuna.Study,
        *,
        space: spaces.Space,
        make_config: Callable[[str, int, Mapping[str, Scalar]], TrialConfig],
        seed: int,
        violations: Callable[[Mapping[str, Scalar]], Mapping[str, float]] = lambda params: {},
    ) -> None:
        self._study = study
        self._cached = CachedStudy(study)
        self._space = dict(space)
        self._make_config = make_config
        self._violations = violations
        self._rng = np.random.default_rng(seed)
        self._live: dict[str, optuna.trial.Trial] = {}
        self._before: dict[str, Mapping[int, float]] = {}
        self._tried = {
            spaces.key(trial.params)
            for trial in self._cached.trials
            if trial.state is not TrialState.WAITING
        }
        self.exhausted = False

    def next_trial(self) -> TrialConfig | None:
        """The next configuration, None if there is none that may be trained."""
        trial = None if self.exhausted else self._ask()
        if trial is None:
            self.exhausted = True
            return None
        config = self._configure(trial)
        self._cached.keep(trial)
        self._live[config.trial_id] = trial
        self._before[config.trial_id] = dict(self._cached.trials[trial.number].intermediate_values)
        return config

    def reported_before(self, config: TrialConfig) -> Mapping[int, float]:
        """The values that a trial reported before it was interrupted: epoch -> value."""
        return self._before[config.trial_id]

    def report(self, config: TrialConfig, epoch: int, value: float) -> None:
        """Write a trial's value at an epoch, unless the study has it."""
        if epoch not in self._before[config.trial_id]:
            self._cached.report(self._live[config.trial_id], value, epoch)

    def end(self, config: TrialConfig, outcome: TrialOutcome) -> None:
        """Write how a trial ended; an interrupted one goes back into the queue."""
        trial = self._live.pop(config.trial_id)
        if outcome.state == "INTERRUPTED":
            self._cached.requeue(trial)
        elif outcome.state == "COMPLETE":
            self._cached.tell(
                trial, TrialState.COMPLETE, outcome.values, violations=outcome.violations
            )
        elif outcome.state == "PRUNED":
            self._cached.tell(trial, TrialState.PRUNED)
        else:
            self._cached.tell(trial, TrialState.FAIL, attributes={studies.ERROR: outcome.error})

    def close(self) -> None:
        """Put back all trials that are still under way."""
        self._cached.requeue_running()

    def ended_before(self) -> dict[str, tuple[dict[int, float], float | None]]:
        """A name -> the values by epoch of an ended trial, and its own if complete and feasible."""
        kept = {trial.number for trial in studies.best_trials(self._study)}
        return {
            f"optuna {trial.number}": (
                dict(trial.intermediate_values),
                trial.values[0] if trial.number in kept else None,
            )
            for trial in studies.trained(self._study)
        }

    def _ask(self) -> optuna.trial.Trial | None:
        refused = 0
        while True:
            trial = self._cached.ask(self._space)
            key = spaces.key(trial.params)
            if studies.CONFIG in trial.user_attrs:  # it was interrupted
                self._tried.add(key)
                return trial
            if key in self._tried:
                # It would teach nothing. It is recorded as failed, because samplers leave failed
                # trials out of their models.
                duplicate = {studies.DUPLICATE: self._number_of(key)}
                self._cached.tell(trial, TrialState.FAIL, attributes=duplicate)
            else:
                self._tried.add(key)
                violations = self._violations(trial.params)
                if goals.feasible(violations):
                    return trial
                reason = {studies.REFUSED: goals.describe(violations)}
                self._cached.tell(
                    trial, TrialState.PRUNED, attributes=reason, violations=violations
                )
                refused += 1
                if refused < REFUSALS:
                    continue
            params = self._draw()
            if params is None:
                return None
            self._cached.enqueue(params)

    def _draw(self) -> dict[str, Scalar] | None:
        """An untried configuration that keeps the limits, at random; None if none is found."""
        for _ in range(FRESH_DRAWS):
            params = spaces.draw(self._space, self._rng)
            if spaces.key(params) not in self._tried and goals.feasible(self._violations(params)):
                return params
        return None

    def _number_of(self, key: str) -> int:
        return next(
            trial.number
            for trial in self._cached.trials
            if trial.state is not TrialState.WAITING and spaces.key(trial.params) == key
        )

    def _configure(self, trial: optuna.trial.Trial) -> TrialConfig:
        # An interrupted trial keeps its id, and its seed follows from its number; the machine that
        # resumes it decides where it runs.
        stored = trial.user_attrs.get(studies.CONFIG)
        unique = stored["trial_id"] if stored else uuid.uuid4().hex[:12]
        config = self._make_config(unique, trial.number, trial.params)
        trial.set_user_attr(studies.CONFIG, config.to_json())
        return config

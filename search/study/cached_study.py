"""A study in two places: its copy in memory proposes trials, its database keeps them.

Optuna writes a new trial into a database parameter by parameter and reads it back as often: some
ninety statements a trial. The copy in memory proposes a trial, and the database gets it at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from search.spaces.space import Space
from search.study import study as studies


class CachedStudy:
    """The trials of a study that no other process writes to.

    When a method returns, its change is in the database. `ask` is the exception: `keep` writes its
    proposal, once all attributes of the trial are known.

    Args:
        study: the study in its database, with the sampler that proposes.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._kept = study
        self._memory = optuna.create_study(directions=study.directions, sampler=study.sampler)
        self._ids: list[int] = []  # the database's ids, by number
        self._waiting: set[int] = set()  # numbers of trials that wait in the database
        for trial in study.get_trials(deepcopy=False):
            self._memory.add_trial(trial)
            self._ids.append(trial._trial_id)
            if trial.state is TrialState.WAITING:
                self._waiting.add(trial.number)

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials; do not change them."""
        return self._memory.get_trials(deepcopy=False)

    def ask(self, space: Space) -> Trial:
        """A waiting trial, or a new one."""
        return self._memory.ask(dict(space))

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """Let `ask` return these parameters next."""
        self._memory.enqueue_trial(dict(params))

    def keep(self, trial: Trial) -> None:
        """Write a trial that `ask` returned, with its parameters and attributes."""
        frozen = self._frozen(trial)
        storage = self._kept._storage
        if trial.number >= len(self._ids):
            assert trial.number == len(self._ids), "a proposal was not kept"
            self._ids.append(storage.create_new_trial(self._kept._study_id, frozen))
            return
        # The trial waited in the database: an interrupted one has its parameters there, an enqueued
        # one does not.
        kept = self._ids[trial.number]
        self._waiting.discard(trial.number)
        known = storage.get_trial(kept)
        storage.set_trial_state_values(kept, TrialState.RUNNING)
        for name, distribution in frozen.distributions.items():
            if name not in known.params:
                internal = distribution.to_internal_repr(frozen.params[name])
                storage.set_trial_param(kept, name, internal, distribution)
        for name, value in frozen.user_attrs.items():
            if known.user_attrs.get(name) != value:
                storage.set_trial_user_attr(kept, name, value)

    def report(self, trial: Trial, value: float, epoch: int) -> None:
        """Write a trial's value at an epoch; Optuna keeps none of a study with two goals."""
        if len(self._kept.directions) > 1:
            return
        trial.report(value, epoch)
        self._kept._storage.set_trial_intermediate_value(self._ids[trial.number], epoch, value)

    def tell(
        self,
        trial: Trial,
        state: TrialState,
        values: Sequence[float] | None = None,
        attributes: Mapping[str, Any] | None = None,
        violations: Mapping[str, float] | None = None,
    ) -> None:
        """Write how a trial ended, with `attributes`; `keep` need not have written it before."""
        attributes = attributes or {}
        for name, content in attributes.items():
            trial.set_user_attr(name, content)
        before = set(self._frozen(trial).system_attrs)
        for name, violation in (violations or {}).items():
            if name not in trial.constraints:  # an interrupted end may have written it
                trial.set_constraint(name, violation)
        now = self._frozen(trial).system_attrs
        constraints = {name: now[name] for name in now if name not in before}
        if trial.number in self._waiting:
            self.keep(trial)
        self._memory.tell(trial, values, state=state)
        if trial.number == len(self._ids):
            self.keep(trial)
            return
        kept, storage = self._ids[trial.number], self._kept._storage
        for name, content in attributes.items():
            storage.set_trial_user_attr(kept, name, content)
        for name, content in constraints.items():
            storage.set_trial_system_attr(kept, name, content)
        storage.set_trial_state_values(kept, state, self._frozen(trial).values)

    def requeue(self, trial: Trial) -> None:
        """Put the trial back: the next driver that opens the study goes on with it."""
        studies.requeue(self._kept, self._ids[trial.number])

    def requeue_running(self) -> None:
        """Put back all trials that are still under way."""
        studies.requeue_running(self._kept)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        return self._memory._storage.get_trial(trial._trial_id)

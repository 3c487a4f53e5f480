"""A study twice: in memory, where proposals are made, and in its database, where it is kept.

Optuna writes a new trial into a database parameter by parameter, and reads it back as often: some
ninety statements a trial. Here it is proposed in memory and written as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from search import study as studies
from search.spaces import Space


class Ledger:
    """The trials of a study that nobody else writes to.

    What a method of this class has returned from is in the database, but for `ask`: a proposal is
    kept by `keep`, once all that belongs to it is known.

    Args:
        study: in its database, with the sampler that proposes.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._kept = study
        self._memory = optuna.create_study(direction="maximize", sampler=study.sampler)
        self._ids: list[int] = []  # in the database, by number
        for trial in study.get_trials(deepcopy=False):
            self._memory.add_trial(trial)
            self._ids.append(trial._trial_id)

    @property
    def trials(self) -> list[FrozenTrial]:
        """All of them, not to be changed."""
        return self._memory.get_trials(deepcopy=False)

    def ask(self, space: Space) -> Trial:
        """A trial that waited, or a new one."""
        return self._memory.ask(dict(space))

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """Have `ask` return this next."""
        self._memory.enqueue_trial(dict(params))

    def keep(self, trial: Trial) -> None:
        """Write what `ask` returned, with its parameters and attributes."""
        frozen = self._frozen(trial)
        storage = self._kept._storage
        if trial.number >= len(self._ids):
            assert trial.number == len(self._ids), "a proposal was not kept"
            self._ids.append(storage.create_new_trial(self._kept._study_id, frozen))
            return
        # It waited in the database: an interrupted one has its parameters, an enqueued one not.
        kept = self._ids[trial.number]
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
        """What a trial reached."""
        trial.report(value, epoch)
        self._kept._storage.set_trial_intermediate_value(self._ids[trial.number], epoch, value)

    def tell(
        self,
        trial: Trial,
        state: TrialState,
        value: float | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """How a trial ended, whether it was kept before or not; `attributes` say more of it."""
        attributes = attributes or {}
        for name, content in attributes.items():
            trial.set_user_attr(name, content)
        self._memory.tell(trial, value, state=state)
        if trial.number == len(self._ids):
            self.keep(trial)
            return
        kept, storage = self._ids[trial.number], self._kept._storage
        for name, content in attributes.items():
            storage.set_trial_user_attr(kept, name, content)
        storage.set_trial_state_values(kept, state, self._frozen(trial).values)

    def requeue(self, trial: Trial) -> None:
        """Put it back: whoever opens the study the next time goes on with it."""
        studies.requeue(self._kept, self._ids[trial.number])

    def requeue_running(self) -> None:
        """The same for all that are still under way."""
        studies.requeue_running(self._kept)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        return self._memory._storage.get_trial(trial._trial_id)

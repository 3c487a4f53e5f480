"""Optuna's TPE at a bounded price: it looks at no more than so many trials.

The cost of a proposal grows linearly with the number of trials that TPE looks at. What it learns
from is less: two densities, one of the best trials (a tenth, at most 25), one of all others, in
which old trials weigh little. So the best and the newest are enough.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState

MOST = 500  # up to here TPE is Optuna's own, trial by trial
BEST = 25  # of which TPE makes its density of good trials, however many there are


class BoundedTPE(TPESampler):
    """TPE over the running trials, the `BEST` best and the newest, `MOST` ended ones in all.

    For studies that maximise. Settings are those of `TPESampler`, `constant_liar` among them.
    """

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As in Optuna."""
        return super().infer_relative_search_space(_view(study), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As in Optuna."""
        return super().sample_relative(_view(study), trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """As in Optuna."""
        return super().sample_independent(_view(study), trial, param_name, param_distribution)


def shown(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that TPE makes its densities of, in their order."""
    if len(trials) <= MOST:
        return list(trials)
    newest = MOST - BEST  # the best of all are among these and the best of the older
    old = trials[:-newest]
    running = {t.number for t in old if t.state is TrialState.RUNNING}
    ended = [t for t in old if t.number not in running]
    kept = running.union(t.number for t in heapq.nsmallest(BEST, ended, key=_rank))
    return [*(t for t in old if t.number in kept), *trials[-newest:]]


def _rank(trial: FrozenTrial) -> tuple[float, ...]:
    """Optuna's order, the best first: complete trials, then pruned ones that came furthest."""
    if trial.state is TrialState.COMPLETE:
        return (0, 0, -(trial.value or 0.0))
    step = trial.last_step
    if step is None:
        return (2, 0, 0)
    return (1, -step, -trial.intermediate_values[step])


def _view(study: optuna.Study) -> Any:
    return study if isinstance(study, _View) else _View(study)


class _View:
    """A study of which only `shown` trials are seen; everything else is the study's own."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(self, **settings: Any) -> list[FrozenTrial]:  # what TPE asks a study
        trials = self._study._get_trials(**settings)
        if TrialState.RUNNING in (settings.get("states") or ()):
            return shown(trials)
        return trials[-MOST:]  # it only counts them and reads which parameters they have

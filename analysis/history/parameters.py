"""Which hyperparameters mattered in a search: importance and slices.

Both look at trials that were measured at one epoch (`search.study.plots.comparable`): complete
trials alone are few, and chosen for being good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from analysis.records import StudyRecord, TrialRecord
from search.study import plots


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Trials of one study with their accuracies at one epoch.

    Attributes:
        space: Optuna's distributions of the parameters that varied, the most important first.
        held: parameter -> the one value that it had in all trials.
        params: of each of the n trials.
        accuracy: (n,) `valid/accuracy` after `epoch` epochs, in [0, 1].
        epoch: the latest that ten trials reached.
        importance: parameter -> its share of the variation, largest first; empty under
            `search.study.plots.ENOUGH` trials.
        chosen: row of the study's best complete trial, None if it is not among them.
        strangers: trials left out because the pipeline has other parameters today.
    """

    space: Mapping[str, BaseDistribution]
    held: Mapping[str, Any]
    params: tuple[Mapping[str, Any], ...]
    accuracy: np.ndarray
    epoch: int
    importance: Mapping[str, float]
    chosen: int | None
    strangers: int

    def __len__(self) -> int:
        return len(self.params)


def as_optuna(
    trials: Sequence[TrialRecord], space: Mapping[str, BaseDistribution]
) -> tuple[optuna.Study, list[TrialRecord]]:
    """An Optuna study in memory, and the trials that are in it, in its order.

    Trials with other parameters than `space` are left out: they ran before somebody changed it.
    Where only the bounds changed, they are widened to hold what the trials tried.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    kept = [trial for trial in trials if set(trial.params) == set(space)]
    distributions = widened(space, kept)
    for trial in kept:
        complete = trial.state == "COMPLETE" and trial.value is not None
        # An interrupted trial did not fail, but Optuna has no other word for one that ended
        # without a value; its measurements on the way count all the same.
        state = TrialState.PRUNED if trial.state == "PRUNED" else TrialState.FAIL
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if complete else state,
                value=trial.value if complete else None,
                params=dict(trial.params),
                distributions=distributions,
                intermediate_values=dict(trial.curve),
            )
        )
    return study, kept


def widened(
    space: Mapping[str, BaseDistribution], trials: Sequence[TrialRecord]
) -> dict[str, BaseDistribution]:
    """`space`, as wide as it must be to hold all that `trials` have tried."""
    distributions: dict[str, BaseDistribution] = {}
    for name, distribution in space.items():
        tried = [trial.params[name] for trial in trials]
        if isinstance(distribution, CategoricalDistribution):
            choices = dict.fromkeys([*distribution.choices, *tried])
            distributions[name] = CategoricalDistribution(list(choices))
        elif isinstance(distribution, IntDistribution):
            low, high = min([distribution.low, *tried]), max([distribution.high, *tried])
            fits = all((value - low) % distribution.step == 0 for value in [*tried, high])
            step = distribution.step if fits else 1
            distributions[name] = IntDistribution(low, high, log=distribution.log, step=step)
        elif isinstance(distribution, FloatDistribution):
            low, high = min([distribution.low, *tried]), max([distribution.high, *tried])
            distributions[name] = FloatDistribution(low, high, log=distribution.log)
        else:
            raise TypeError(f"{name} is a {type(distribution).__name__}")
    return distributions


def compute_parameters(study: StudyRecord, space: Mapping[str, BaseDistribution]) -> Parameters:
    """Compute what the study's trials say about each parameter of `space`.

    Importance is PED-ANOVA's (Watanabe et al., 2023, "PED-ANOVA: Efficiently Quantifying
    Hyperparameter Importance in Arbitrary Subspaces"), as Optuna computes it.
    """
    rebuilt, kept = as_optuna(study.trials, space)
    importance, epoch = plots.importance(rebuilt)
    wide = widened(space, kept)
    alike = [trial for trial in kept if epoch in trial.curve]
    best = study.complete[0].number if study.complete else None
    held = {
        name: alike[0].params[name]
        for name in space
        if alike and len({str(trial.params[name]) for trial in alike}) == 1
    }
    order = [*importance, *(name for name in space if name not in importance)]
    return Parameters(
        space={name: wide[name] for name in order if name not in held},
        held=held,
        params=tuple(trial.params for trial in alike),
        accuracy=np.array([trial.curve[epoch] for trial in alike], dtype=float),
        epoch=epoch,
        importance=importance,
        chosen=next((i for i, trial in enumerate(alike) if trial.number == best), None),
        strangers=len(study.trials) - len(kept),
    )

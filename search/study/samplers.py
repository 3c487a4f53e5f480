"""Optuna's samplers, a TPE of bounded cost, and one that takes turns with a Gaussian process.

The cost of a proposal grows linearly with the number of trials that TPE looks at. TPE learns from
two densities: one of the best trials (a tenth, at most 25), and one of all others, in which old
trials weigh little. So the best and the newest trials are enough.

A Gaussian process models parameters jointly and learns from few trials, but errs where results are
rougher than it assumes; TPE models each parameter alone and assumes little.
"""

from __future__ import annotations

import copy
import heapq
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.spaces.rungs import gain
from search.study import study as studies

MOST = 150  # up to this many trials the proposals equal those of Optuna's own TPE
LEARNED_FROM = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
STARTUP = 10  # trials that are drawn at random before TPE proposes, as in Optuna
BEST = 25  # TPE's density of good trials has at most this many


def build_sampler(
    name: str, *, seed: int, trials_so_far: int, known: Sequence[FrozenTrial] = ()
) -> BaseSampler:
    """`tpe+gp`, `tpe`, `gp` or `random`.

    The seed depends on how many trials there are: a resumed study would otherwise propose its
    first configurations again.

    Args:
        known: trials of an earlier search, from which TPE learns.
    """
    import warnings

    mixed = (seed * 1_000_003 + trials_so_far) % 2**32
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    if name == "random":
        return RandomSampler(seed=mixed)
    if name == "gp":
        return GPSampler(seed=mixed)
    # TPE models each parameter by itself: in replayed searches the joint model missed the target
    # more often (docs/speed.md).
    kind = InTurns if name == "tpe+gp" else BoundedTPE
    return kind(known, multivariate=False, constant_liar=True, seed=mixed)


class BoundedTPE(TPESampler):
    """TPE over the running trials, the `BEST` best and the newest: `MOST` ended trials in all.

    It looks at all trials of a study with two goals, which has no scheduler and so few trials. The
    settings are those of `TPESampler`, `constant_liar` included.

    Args:
        known: trials of an earlier search, the best first. Its values need not compare with those
            of this one: of both TPE is shown each trial's place among its own.
    """

    def __init__(self, known: Sequence[FrozenTrial] = (), **settings: Any) -> None:
        super().__init__(**{"n_startup_trials": max(0, STARTUP - len(known)), **settings})
        self._known = known

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """As in Optuna; what the proposal learns from is chosen once, for all its parameters."""
        super().before_trial(study, trial)
        self._bounded: Any = study if len(study.directions) > 1 else _View(study, self._known)

    def _sample(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Optuna's own name: all proposals of its model come from here."""
        return super()._sample(self._bounded, trial, search_space)


def shown(trials: Sequence[FrozenTrial], *, minimise: bool = False) -> list[FrozenTrial]:
    """The trials that TPE learns its densities from, in their order."""
    if len(trials) <= MOST:
        return list(trials)
    newest = MOST - BEST  # the best of all are among these and the best of the older
    old = trials[:-newest]
    running = {t.number for t in old if t.state is TrialState.RUNNING}
    ended = [t for t in old if t.number not in running]
    sign = 1 if minimise else -1
    best = heapq.nsmallest(BEST, ended, key=lambda trial: rank(trial, sign))
    kept = running.union(t.number for t in best)
    return [*(t for t in old if t.number in kept), *trials[-newest:]]


def by_place(ordered: Sequence[FrozenTrial], *, minimise: bool) -> list[FrozenTrial]:
    """Copies of trials, the best first, whose values are their places: 1 is best, 1 / N worst."""
    copies = [copy.copy(trial) for trial in ordered]
    for place, trial in enumerate(copies):
        trial.state = TrialState.COMPLETE
        trial.values = [(-1 if minimise else 1) * (1 - place / len(copies))]
    return copies


def rank(trial: FrozenTrial, sign: int) -> tuple[float, ...]:
    """Optuna's order, the best first: complete trials, then pruned ones that came furthest.

    Those beyond a limit come last, the least first.
    """
    excess = studies.excess(trial)
    if excess > 0:
        return (3, excess, 0)
    if trial.state is TrialState.COMPLETE:
        return (0, 0, sign * trial.values[0])
    step = trial.last_step
    if step is None:
        return (2, 0, 0)
    return (1, -step, sign * trial.intermediate_values[step])


class InTurns(BoundedTPE):
    """TPE proposes one trial, a Gaussian process the next.

    In replayed searches they are ahead of either (docs/speed.md). The process, Optuna's
    `GPSampler`, is shown the `expected_ends`. It knows neither limits nor a second goal.
    """

    def __init__(self, known: Sequence[FrozenTrial] = (), *, seed: int, **settings: Any) -> None:
        super().__init__(known, seed=seed, **settings)
        self._seed = seed

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """As in Optuna: the parameters that are proposed jointly, none if it is TPE's turn."""
        ends = expected_ends(study) if trial.number % 2 else []
        if sum(end.state is TrialState.COMPLETE for end in ends) < STARTUP:
            return {}
        self._ends = ends
        every = optuna.search_space.intersection_search_space(ends)
        return {name: values for name, values in every.items() if not values.single()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As in Optuna."""
        if not search_space:
            return {}
        seen = optuna.create_study(direction=study.direction)
        seen.add_trials(self._ends)
        seen.ask()
        newest = seen.get_trials(deepcopy=False)[-1]
        process = GPSampler(seed=(self._seed + trial.number) % 2**32)
        return process.sample_relative(seen, newest, search_space)


def expected_ends(study: optuna.Study) -> list[FrozenTrial]:
    """The `shown` trials, a pruned one as if it had ended with the `gain` of those that did."""
    trials = study.get_trials(deepcopy=False, states=LEARNED_FROM)
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    ends = []
    for trial in shown(trials, minimise=study.direction is StudyDirection.MINIMIZE):
        if trial.state is TrialState.PRUNED:
            *_, (step, value) = [(-1, 0.0), *sorted(trial.intermediate_values.items())]
            values = [(one.intermediate_values, one.values[0]) for one in complete]
            here = [(rungs[step], end) for rungs, end in values if step in rungs]
            if len(here) < 2:
                continue  # nothing is known of its end
            trial = copy.copy(trial)
            trial.state, trial.values = TrialState.COMPLETE, [value + gain(value, here)[0]]
        ends.append(trial)
    return ends


class _View:
    """A study that shows TPE only the `shown` trials; the study answers everything else."""

    def __init__(self, study: optuna.Study, known: Sequence[FrozenTrial]) -> None:
        self._study = study
        minimise = study.direction is StudyDirection.MINIMIZE
        trials = study.get_trials(deepcopy=False, states=LEARNED_FROM)
        self._shown = shown(trials, minimise=minimise)
        if known:  # they come first: the newest weigh most
            ended = [t for t in self._shown if t.state is not TrialState.RUNNING]
            ended.sort(key=lambda trial: rank(trial, 1 if minimise else -1))
            own = {t.number: t for t in by_place(ended, minimise=minimise)}
            earlier = by_place(known, minimise=minimise)
            for place, trial in enumerate(earlier):
                trial.number = place - len(known)
            self._shown = [*earlier, *(own.get(t.number, t) for t in self._shown)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(self, **unused: Any) -> list[FrozenTrial]:
        """Optuna's own name."""
        return self._shown

"""The scheduler that stops unpromising trials, and the record that it shares with the searcher."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.stopper import Stopper

from search.spaces.rungs import gain, rungs
from search.trials.outcome import METRICS

CHANCE = 0.1  # of ending better than the best; with less a trial is stopped
ENDED = 3  # trials from which gains are predicted
MARGIN = NormalDist().inv_cdf(1 - CHANCE)  # standard deviations above the mean
REDUCTION = 3  # before that, one trial in three passes a rung (Li et al., 2020, ASHA)


@dataclass
class RungRecord:
    """What a scheduler and a searcher tell each other, by Ray's ids of trials.

    Ray tells a searcher that a trial ended, but not why: the searcher cannot tell a time budget, an
    interruption and a rung apart. And it does not tell a scheduler how a trial ended.

    Attributes:
        stopped: trials that the scheduler stopped.
        passed: trial -> the epochs that an interrupted trial reports again; it passed their rungs
            before and is not judged a second time.
        values: trial -> epoch -> value of the goal.
        ended: complete trial that keeps all limits -> its value.
    """

    stopped: set[str] = field(default_factory=set)
    passed: dict[str, frozenset[int]] = field(default_factory=dict)
    values: dict[str, dict[int, float]] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def recall(self, earlier: Mapping[str, tuple[Mapping[int, float], float | None]]) -> None:
        """Learn from earlier trials: any id -> values by epoch, and that in `ended`, if any."""
        for trial_id, (values, end) in earlier.items():
            self.values[trial_id] = dict(values)
            if end is not None:
                self.ended[trial_id] = end


class RungScheduler(FIFOScheduler):
    """Stops a trial that is not likely to end better than the best trial so far.

    At a rung the trial's `gain` until its end is predicted from those of the trials that ended. A
    rung that tells little about the end stops few, because gains from there spread. While fewer
    than `ended` trials ended, a rung lets the best third of its values pass.

    Args:
        record: what the searcher knows of trials.
        metric: by which trials are compared.
        epochs: of a whole trial.
        mode: `max` or `min`.
        ended: trials from which gains are predicted; with infinitely many it is always the best
            third that passes.
    """

    def __init__(
        self,
        record: RungRecord,
        *,
        metric: str,
        epochs: int,
        mode: str = "max",
        ended: float = ENDED,
    ) -> None:
        super().__init__()
        self._record = record
        self._goal = METRICS + metric
        self._rungs = rungs(epochs)
        self._ended = ended
        self._sign = -1.0 if mode == "min" else 1.0

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """As in Ray: whether a trial goes on."""
        epoch, value = int(result.get("epoch", 0)), float(result.get(self._goal, math.nan))
        # A network with a classifier of its own is measured after every epoch, not at rungs alone.
        judged = epoch in self._rungs and epoch not in self._record.passed.get(trial.trial_id, ())
        if not judged or not math.isfinite(value) or self._promises(epoch, value):
            return TrialScheduler.CONTINUE
        self._record.stopped.add(trial.trial_id)
        return TrialScheduler.STOP

    def _promises(self, epoch: int, value: float) -> bool:
        sign, ended = self._sign, self._record.ended
        value *= sign
        known = self._record.values.items()
        here = {name: sign * values[epoch] for name, values in known if epoch in values}
        both = [(here[name], sign * end) for name, end in ended.items() if name in here]
        if len(both) < self._ended:
            passing = 100 * (1 - 1 / REDUCTION)
            return not here or value >= float(np.percentile([*here.values()], passing))
        mean, spread = gain(value, both)
        best = max(sign * end for end in ended.values())
        return value + mean + MARGIN * spread >= best


class StopWhen(Stopper):
    """Ends the whole search once `over` says so."""

    def __init__(self, over: Callable[[], bool]) -> None:
        self._over = over

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no single trial."""
        return False

    def stop_all(self) -> bool:
        """Whether to stop the search; Ray asks between any two events."""
        return self._over()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Ray writes its settings to disk, and nothing reads them."""
        return {}

"""Ray's worker. The driver imports this module too, so it imports torch in the worker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray import tune

if TYPE_CHECKING:
    from trainers.data import TrainingData


class TrialWorker(tune.Trainable):
    """Ray's view of a `TrialProcess`: one `step` is one epoch.

    Ray reuses the process for the next trial: a fresh one costs seconds. Only a dying process is a
    failure in Ray's sense.
    """

    def setup(  # type: ignore[override]
        self, config: dict[str, Any], data: TrainingData, folder: str, worth: float
    ) -> None:
        """Prepare the process, once; the arguments are those of `TrialProcess`."""
        from search.trials.process import TrialProcess

        self._process = TrialProcess(data, folder, worth=worth)
        self._process.begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start a further trial in the same process."""
        self._process.begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Train and measure one epoch."""
        return self._process.step()

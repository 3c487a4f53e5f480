"""What a driver that was killed left undone in MLflow, done when its study is opened again.

Optuna is told first and says what is true. MLflow is written from a queue, so that a kill can leave
runs open, without their last epochs, or never begun. What is missing is told to the recorder again,
from the trials' checkpoints where they are still there, and in the order in which it happened.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from search import checkpoints, study as studies
from search.outcomes import Listener, Outcome, reported_metrics
from search.tracking import STATUS, RunView
from search.trial import TrialConfig


@dataclass(frozen=True)
class Difference:
    """A trial whose record in MLflow is not what Optuna knows.

    Attributes:
        trial: as Optuna has it.
        config: what was trained.
        wanted: the state that the record should have.
        run: the record, None if there is none.
    """

    trial: FrozenTrial
    config: TrialConfig
    wanted: str
    run: RunView | None


def differences(study: optuna.Study, runs: Mapping[str, RunView]) -> list[Difference]:
    """Trials that started and of which MLflow (trial id -> run) says something else, or nothing.

    Nothing of the study is under way: what still counts as running was interrupted.
    """
    found = []
    for trial in study.get_trials(deepcopy=False):
        if studies.CONFIG not in trial.user_attrs:
            continue  # never started, or a duplicate
        config = TrialConfig.from_json(trial.user_attrs[studies.CONFIG])
        run = runs.get(config.trial_id)
        wanted = trial.state.name if trial.state.is_finished() else "INTERRUPTED"
        if run is None and not trial.state.is_finished():
            continue  # gets its run when it goes on
        if run and (run.status, run.tags.get("trial_state")) == (STATUS[wanted], wanted):
            continue
        found.append(Difference(trial, config, wanted, run))
    return found


def recover(
    study: optuna.Study,
    runs: Mapping[str, RunView],
    recorder: Listener,
    *,
    metric: str,
    folder: Path,
) -> int:
    """Bring the records of all trials to what Optuna knows.

    Args:
        study: nothing of which is under way.
        runs: trial id -> its run in MLflow.
        recorder: is told everything that is missing.
        metric: what Optuna's intermediate values are of.
        folder: has a folder for each trial that was under way.

    Returns:
        How many trials there were to recover.
    """
    found = differences(study, runs)
    for one in found:
        _tell(one.trial, one.config, recorder, metric=metric, folder=folder / one.config.trial_id)
    # Folders of trials that were told of are the recorder's to remove.
    told = {one.config.trial_id for one in found}
    for left in leftovers(study, folder):
        if left.name not in told:
            shutil.rmtree(left, ignore_errors=True)
    return len(found)


def leftovers(study: optuna.Study, folder: Path) -> list[Path]:
    """Folders of trials that do not wait to go on."""
    waiting = {
        trial.user_attrs[studies.CONFIG]["trial_id"]
        for trial in study.get_trials(deepcopy=False)
        if studies.CONFIG in trial.user_attrs and not trial.state.is_finished()
    }
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [left for left in found if left.name not in waiting]


def _tell(
    trial: FrozenTrial, config: TrialConfig, recorder: Listener, *, metric: str, folder: Path
) -> None:
    recorder.trial_started(config)
    if trial.state.is_finished():
        history = {int(entry["epoch"]): entry for entry in checkpoints.history(folder)}
        for epoch, value in trial.intermediate_values.items():
            history.setdefault(epoch, {"epoch": epoch, metric: value})
        for epoch, entry in sorted(history.items()):
            recorder.epoch_ended(config, {**reported_metrics(entry), "epoch": epoch})
    recorder.trial_ended(config, _outcome(trial, folder))


def _outcome(trial: FrozenTrial, folder: Path) -> Outcome:
    weights = folder / "weights.safetensors"
    if trial.state is TrialState.COMPLETE:
        kept = str(weights) if weights.exists() else None
        return Outcome(state="COMPLETE", value=trial.value, weights=kept)
    if trial.state is TrialState.PRUNED:
        return Outcome(state="PRUNED", value=trial.value)
    if trial.state is TrialState.FAIL:
        return Outcome(state="FAIL", error=trial.user_attrs.get(studies.ERROR) or "unknown")
    return Outcome(state="INTERRUPTED")

"""Complete MLflow's records after a driver was killed, when its study is opened again.

The driver reports to Optuna first, so Optuna's record is right. It writes to MLflow from a queue,
so a kill can leave runs that are open, lack their last epochs, or do not exist. The recovery
reports the missing records to the recorder again, in their order, from the trials' checkpoints if
they still exist.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from search.spaces.goals import Aims
from search.study import study as studies
from search.study.study import FrozenTrial, Study, TrialState
from search.tracking.store import STATUS, RunView
from search.trials import checkpoint
from search.trials.config import TrialConfig
from search.trials.outcome import Listener, TrialOutcome


@dataclass(frozen=True)
class Difference:
    """A trial whose record in MLflow differs from Optuna's.

    Attributes:
        wanted: the state that MLflow's record should have.
        run: MLflow's record, None if there is none.
    """

    trial: FrozenTrial
    config: TrialConfig
    wanted: str
    run: RunView | None


def differences(study: Study, runs: Mapping[str, RunView]) -> list[Difference]:
    """The started trials whose run in MLflow (trial id -> run) differs or is missing.

    The caller holds the study's lock, so a trial that counts as running was interrupted.
    """
    differing = []
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
        differing.append(Difference(trial, config, wanted, run))
    return differing


def recover(
    study: Study,
    runs: Mapping[str, RunView],
    recorder: Listener,
    *,
    folder: Path,
) -> int:
    """Make MLflow's records of all trials agree with Optuna's.

    Args:
        study: a study without a running trial.
        runs: trial id -> its run in MLflow.
        folder: holds a folder for each trial that was under way.

    Returns:
        The number of trials to recover.
    """
    differing, aims = differences(study, runs), studies.aims(study)
    for one in differing:
        _tell(one.trial, one.config, recorder, aims=aims, folder=folder / one.config.trial_id)
    # The recorder removes the folders of the recovered trials.
    recovered_ids = {one.config.trial_id for one in differing}
    for left in leftovers(study, folder):
        if left.name not in recovered_ids:
            shutil.rmtree(left, ignore_errors=True)
    return len(differing)


def leftovers(study: Study, folder: Path) -> list[Path]:
    """The folders of trials that do not wait to go on."""
    waiting = {
        trial.user_attrs[studies.CONFIG]["trial_id"]
        for trial in study.get_trials(deepcopy=False)
        if studies.CONFIG in trial.user_attrs and not trial.state.is_finished()
    }
    folders = sorted(folder.iterdir()) if folder.is_dir() else []
    return [left for left in folders if left.name not in waiting]


def _tell(
    trial: FrozenTrial, config: TrialConfig, recorder: Listener, *, aims: Aims, folder: Path
) -> None:
    recorder.trial_started(config)
    if trial.state.is_finished():
        history = {int(entry["epoch"]): entry for entry in checkpoint.history(folder)}
        for epoch, value in trial.intermediate_values.items():
            history.setdefault(epoch, {"epoch": epoch, aims.metric: value})
        if trial.state is TrialState.COMPLETE:
            ends = {goal.metric: v for goal, v in zip(aims.goals, trial.values, strict=True)}
            history.setdefault(config.epochs, {"epoch": config.epochs, **ends})
        for _, entry in sorted(history.items()):
            recorder.epoch_ended(config, entry)
    recorder.trial_ended(config, _outcome(trial, folder))


def _outcome(trial: FrozenTrial, folder: Path) -> TrialOutcome:
    weights = folder / "weights.safetensors"
    if trial.state is TrialState.COMPLETE:
        kept = str(weights) if weights.exists() else None
        value, second = [*trial.values, None][:2]
        beyond = trial.constraints
        return TrialOutcome(
            state="COMPLETE", value=value, second=second, violations=beyond, weights=kept
        )
    if trial.state is TrialState.FAIL:
        return TrialOutcome(state="FAIL", error=trial.user_attrs.get(studies.ERROR) or "unknown")
    return TrialOutcome(state="PRUNED" if trial.state is TrialState.PRUNED else "INTERRUPTED")

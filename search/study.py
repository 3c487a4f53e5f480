"""The study: Optuna's record of a search, in SQLite under `mlruns/`.

It is the one place that says which configurations were proposed and how each ended. Its user
attributes hold what the search was asked for, so that a resumed study cannot silently become
another one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import IO, Any

import optuna
from optuna.samplers import BaseSampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from search import faults
from search.bounded_tpe import BoundedTPE
from search.database import create_once
from search.errors import UserError
from search.pipeline import Scalar
from trainers.precision import Precision

CONFIG = "config"  # user attribute of a trial: its TrialConfig
DUPLICATE = "duplicate_of"  # user attribute of a proposal that was not trained
ERROR = "error"
IDENTITY = "identity"  # user attribute of a study: what must not change when it is resumed
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def database_url(home: Path) -> str:
    """Where the studies are kept; optuna-dashboard opens it."""
    return f"sqlite:///{_database(home).absolute()}"


def exist(home: Path) -> bool:
    """Whether there is a database of studies."""
    return _database(home).exists()


def open_storage(home: Path) -> RDBStorage:
    """Open the studies' database, creating it when there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    create_once(_database(home), _create_database)
    # Several drivers may share the file: wait for a lock instead of failing on it.
    return RDBStorage(database_url(home), engine_kwargs={"connect_args": {"timeout": 60}})


def build_sampler(name: str, *, seed: int, trials_so_far: int) -> BaseSampler:
    """`tpe`, `random` or `gp`.

    The seed depends on how many trials there are: a resumed study would otherwise propose its
    first configurations again.
    """
    import warnings

    mixed = (seed * 1_000_003 + trials_so_far) % 2**32
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    if name == "random":
        return optuna.samplers.RandomSampler(seed=mixed)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=mixed)
    # Each parameter by itself: in replayed searches TPE over all of them together missed the target
    # more often (docs/speed.md).
    return BoundedTPE(multivariate=False, constant_liar=True, seed=mixed)


def study_names(
    storage: RDBStorage, pipeline: str | None = None, data: str | None = None
) -> list[str]:
    """Names of the studies, of one pipeline and kind of data or of all, oldest first.

    One that a killed driver was about to create is none yet.
    """
    found = []
    for summary in optuna.study.get_all_study_summaries(storage, include_best_trial=False):
        identity = summary.user_attrs.get(IDENTITY)
        if identity is None:
            continue
        if pipeline in (None, identity.get("pipeline")) and data in (None, identity.get("data")):
            found.append(summary.study_name)
    return found


def create(
    storage: RDBStorage, name: str, *, identity: Mapping[str, Any], defaults: Mapping[str, Scalar]
) -> optuna.Study:
    """A new study with the defaults as its first proposal; the caller holds its lock.

    What it is of is told last: without that it does not exist, and is made anew.
    """
    for summary in optuna.study.get_all_study_summaries(storage, include_best_trial=False):
        half_made = IDENTITY not in summary.user_attrs and summary.n_trials <= 1
        if summary.study_name == name and half_made:
            optuna.delete_study(study_name=name, storage=storage)
    study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
    study.enqueue_trial(dict(defaults))
    faults.reach("creating study")
    study.set_user_attr(IDENTITY, dict(identity))
    return study


def reopen(storage: RDBStorage, name: str, *, identity: Mapping[str, Any]) -> optuna.Study:
    """An existing study, its interrupted trials put back into the queue.

    Raises:
        UserError: the study was made for something else; the difference is shown.
    """
    study = optuna.load_study(storage=storage, study_name=name)
    before = study.user_attrs.get(IDENTITY, {})
    asked = json.loads(json.dumps(dict(identity)))
    differences = [
        f"{key}: {_short(before.get(key))} then, {_short(asked.get(key))} now"
        for key in sorted({*before, *asked})
        if before.get(key) != asked.get(key)
    ]
    if differences:
        raise UserError(
            f"study {name!r} was made for another search; {'; '.join(differences[:3])}\n"
            "give the same options to go on, or leave --resume out to start a new study"
        )
    requeue_running(study)
    return study


def precision_on(study: optuna.Study, device: str) -> Precision | None:
    """The number format of the study's trials on `device`; None where there were none yet.

    It is measured when a study begins, and a measurement may turn out otherwise the next time:
    the trials of a study are to be comparable, and one that was interrupted is to go on as it was.
    """
    for trial in study.get_trials(deepcopy=False):
        config = trial.user_attrs.get(CONFIG)
        if config and config["device"] == device:
            precision: Precision = config["precision"]
            return precision
    return None


def requeue(study: optuna.Study, trial_id: int) -> None:
    """Put a running trial back: the next proposal is this one again, parameters and all."""
    study._storage.set_trial_state_values(trial_id, TrialState.WAITING)


def requeue_running(study: optuna.Study) -> None:
    """Put back all running trials; whoever holds the study's lock knows that none is running."""
    for trial in running(study):
        requeue(study, trial._trial_id)


def running(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that count as under way."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def is_duplicate(trial: FrozenTrial) -> bool:
    """Whether the proposal repeated an earlier one and was not trained."""
    return DUPLICATE in trial.user_attrs


def trained(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ended, duplicates left out."""
    return [t for t in study.get_trials(deepcopy=False, states=ENDED) if not is_duplicate(t)]


def counts(study: optuna.Study) -> Counter[str]:
    """How many trials ended in each state."""
    return Counter(trial.state.name for trial in trained(study))


def best_trials(study: optuna.Study, most: int) -> list[FrozenTrial]:
    """COMPLETE trials, the best first."""
    complete = [t for t in trained(study) if t.state is TrialState.COMPLETE]
    return sorted(complete, key=lambda t: (-(t.value or 0.0), t.number))[:most]


def find_trial(storage: RDBStorage, trial_id: str) -> tuple[optuna.Study, dict[str, Any]] | None:
    """The study and the stored configuration of a trial of any study, by its unique id."""
    for name in study_names(storage):
        study = optuna.load_study(storage=storage, study_name=name)
        for trial in study.get_trials(deepcopy=False):
            config = trial.user_attrs.get(CONFIG)
            if config and config["trial_id"] == trial_id:
                return study, dict(config)
    return None


def claim(folder: Path, name: str) -> str:
    """`name`, or with a number behind it, as the name of a study that no other driver takes.

    Its folder below `folder` is made: drivers that start within one second get different names.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for candidate in chain([name], (f"{name}-{number}" for number in count(2))):
        with suppress(FileExistsError):
            (folder / candidate).mkdir()
            return candidate
    raise AssertionError("there is always a next number")


def lock(folder: Path, name: str) -> IO[str]:
    """Hold the study for this process until the returned file is closed.

    The lock goes with the process, however it ends.

    Raises:
        UserError: another living process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = (folder / "driver.lock").open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        holder = handle.read().strip() or "unknown"
        handle.close()
        raise UserError(
            f"study {name!r} is being searched by another process (pid {holder})\n"
            "wait for it, stop it, or start a study of another name"
        ) from None
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def _database(home: Path) -> Path:
    return home / "optuna.db"


def _create_database(path: Path) -> None:
    made = RDBStorage(f"sqlite:///{path.absolute()}")
    made.remove_session()
    made.engine.dispose()


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."

"""Optuna's database: open it, create it if it is missing, look through its studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage

from search.errors import Failure
from search.files.sqlite import check, create_once, sqlite_uri
from search.study.study import CONFIG, IDENTITY, Study


def database_url(home: Path) -> str:
    """The address of the studies' database; optuna-dashboard opens it."""
    return sqlite_uri(_database(home))


def studies_exist(home: Path) -> bool:
    """Whether there is a database of studies."""
    return _database(home).exists()


def open_storage(home: Path) -> RDBStorage:
    """Open the studies' database; create it if it is missing."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    check(_database(home), table="studies", owner="Optuna")
    create_once(_database(home), _create_database)
    try:
        # Several drivers may share the file: wait for a lock instead of failing on it.
        return RDBStorage(database_url(home), engine_kwargs={"connect_args": {"timeout": 60}})
    except RuntimeError as error:  # another version created it; the message names that version
        raise Failure(f"{_database(home)}: {error}") from None


def study_names(
    storage: RDBStorage, pipeline: str | None = None, data: str | None = None
) -> list[str]:
    """The names of the studies, oldest first: all, or those of a pipeline and a kind of data.

    A study that a killed driver left without an identity is left out, and so is another study's
    twin unless all are asked for: nobody means it by the latest one.
    """
    names = []
    for summary in optuna.study.get_all_study_summaries(storage, include_best_trial=False):
        identity = summary.user_attrs.get(IDENTITY)
        if identity is None or (pipeline and "twin_of" in identity):
            continue
        if pipeline in (None, identity.get("pipeline")) and data in (None, identity.get("data")):
            names.append(summary.study_name)
    return names


def load_study(storage: RDBStorage, name: str) -> Study:
    """A study that exists."""
    return optuna.load_study(storage=storage, study_name=name)


def delete_study(study: Study) -> None:
    """Take a study out of the database, with its trials."""
    optuna.delete_study(study_name=study.study_name, storage=study._storage)


def find_trial(storage: RDBStorage, trial_id: str) -> tuple[Study, dict[str, Any]] | None:
    """The study and the stored configuration of the trial with this id, in any study."""
    for name in study_names(storage):
        study = load_study(storage, name)
        for trial in study.get_trials(deepcopy=False):
            config = trial.user_attrs.get(CONFIG)
            if config and config["trial_id"] == trial_id:
                return study, dict(config)
    return None


def _database(home: Path) -> Path:
    return home / "optuna.db"


def _create_database(path: Path) -> None:
    storage = RDBStorage(sqlite_uri(path))
    storage.remove_session()
    storage.engine.dispose()

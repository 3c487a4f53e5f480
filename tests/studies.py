"""What Optuna holds of a search by now."""

from __future__ import annotations

from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from search.study.storage import open_storage, studies_exist, study_names


def trials_of(folder: Path, study: str) -> list[FrozenTrial]:
    """The trials of a study in that folder; none while there is no such study."""
    if not studies_exist(folder / "mlruns"):
        return []
    storage = open_storage(folder / "mlruns")
    try:
        if study not in study_names(storage):
            return []
        return optuna.load_study(study_name=study, storage=storage).get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()

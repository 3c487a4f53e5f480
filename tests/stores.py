"""An MLflow store without runs, to be copied: migrating a fresh one takes seconds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from search.tracking.store import Store
from tests import commands


def prepare(folder: Path) -> Path:
    """The folder, with an empty store in mlruns/."""
    run = Path(os.environ[commands.RUN])
    kept = run / "store" / "mlflow.db"
    with commands.alone(run):
        if not kept.exists():
            Store(f"sqlite:///{kept}")
    (folder / "mlruns").mkdir(parents=True, exist_ok=True)
    shutil.copy(kept, folder / "mlruns" / "mlflow.db")
    return folder

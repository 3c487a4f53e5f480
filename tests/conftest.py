"""Settings for every test: nothing calls home, nothing depends on this machine's environment.

And an empty MLflow store, which tests copy.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "RAY_ADDRESS"):
    os.environ.pop(name, None)

# Tests run beside the searches that they start: with more threads they would spin and wait.
torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of `-m faults`, which breaks searches by the hundred (tests/faults)."""
    parser.addoption("--kills", type=int, default=200, help="random kills")
    parser.addoption("--fault-seed", type=int, default=0, help="of the kills' moments")


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs, to be copied: migrating a fresh one takes seconds."""
    from search.tracking import Store

    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    Store(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def prepare(empty_store: Path) -> Callable[[Path], Path]:
    """(folder) -> the folder with an empty store in mlruns/."""

    def place(folder: Path) -> Path:
        (folder / "mlruns").mkdir(parents=True, exist_ok=True)
        shutil.copy(empty_store, folder / "mlruns" / "mlflow.db")
        return folder

    return place

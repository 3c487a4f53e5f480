"""Settings for every test: nothing calls home, nothing depends on this machine's environment."""

from __future__ import annotations

import os

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

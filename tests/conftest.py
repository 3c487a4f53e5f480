"""Settings for every test: nothing calls home, nothing depends on this machine's environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # threads that wait leave other tests the cores

import torch

from search.spaces import pipeline
from tests import commands

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "RAY_ADDRESS"):
    os.environ.pop(name, None)

commands.begin_run()

FINALS, ANALYSIS = "tests/search/finals", "tests/analysis"
SHARED = {  # set-ups of more than one file
    "reruns": [
        f"{FINALS}/test_{name}.py"
        for name in ("best_rerun", "by_dataset", "interruptions", "rerun")
    ],
    "folder": [f"{ANALYSIS}/test_report.py", f"{ANALYSIS}/publication/test_publishing.py"],
}

# Tests run beside the searches that they start: with more threads they would spin and wait.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def nothing_adopted() -> Iterator[None]:
    """A user's own pipelines are known to a process; no test leaves one to the next."""
    yield
    pipeline._adopted.clear()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Of `-m faults`, which breaks searches by the hundred (tests/faults)."""
    parser.addoption("--kills", type=int, default=200, help="random kills")
    parser.addoption("--fault-seed", type=int, default=0, help="of the kills' moments")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first: under `pytest -n` no process waits long for the other's end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Under `pytest -n` the tests that share a set-up stay in one process: those of a file."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((name for name, files in SHARED.items() if file in files), file)

    return Files(config, log)

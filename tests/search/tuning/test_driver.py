"""What can be refused is refused soon."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import commands

LOADED = (
    "import sys, search.tuning.driver\n"
    "print(*{'ray', 'mlflow', 'plotly', 'torch'} & sys.modules.keys())"
)


def test_nothing_slow_is_imported_before_the_options_are_checked() -> None:
    assert commands.cold(LOADED) == commands.Ended(0, "\n", "")


@pytest.mark.slow
def test_a_search_that_knows_its_machine_imports_neither_torch_nor_scikit_learn(
    tmp_path: Path,
) -> None:
    """Each takes a second, and the driver needs neither; the workers import torch."""
    words = ["--pipeline", "mnist_supervised", "--data", "mini", "--quiet"]
    words += ["--trials", "1", "--epochs", "1", "--train-size", "512", "--set", "width=16"]
    code = (
        "import sys\n"
        "from search.tune import main\n"
        f"assert main({words}) == 0\n"
        "heavy = {'torch', 'sklearn'} & sys.modules.keys()\n"
        "import os; print(sorted(heavy), flush=True); os._exit(0)"
    )
    seen = [commands.cold(code, folder=tmp_path).out for _ in range(2)]
    assert seen == ["['torch']\n", "[]\n"], "the first one measures"

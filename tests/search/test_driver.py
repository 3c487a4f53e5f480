"""What can be refused is refused soon."""

from __future__ import annotations

import subprocess
import sys

LOADED = "import sys, search.driver; print(*{'ray', 'mlflow', 'plotly'} & set(sys.modules))"


def test_nothing_slow_is_imported_before_the_options_are_checked() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == []

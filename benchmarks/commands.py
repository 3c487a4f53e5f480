"""The search as a command in a process of its own, as users start it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def tune(words: Sequence[str], folder: Path | str) -> None:
    """Run `search/tune.py` in `folder`; show its output only if it fails."""
    command = [sys.executable, str(ROOT / "search" / "tune.py"), *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\nended with status {done.returncode}: {done.stderr}")

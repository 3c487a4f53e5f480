"""Where a number comes from: the commit of the code, the versions of what it stands on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def source_tags(root: Path) -> dict[str, str]:
    """The commit that the code stands at, with `+` where it was changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "HEAD")
        changed = bool(commit) and bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"mlflow.source.git.commit": commit + "+" * changed} if commit else {}


def versions() -> dict[str, str]:
    """Versions of what a result depends on, as tags."""
    from importlib.metadata import version

    names = ("torch", "ray", "optuna", "mlflow")
    return {"python": sys.version.split()[0]} | {name: version(name) for name in names}

"""Names the machine of a figure and keeps the figure: shared by all benchmarks."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from search.cli.arguments import new_file
from search.tracking import provenance

RESULTS = Path(__file__).resolve().parent / "results"


def describe(*packages: str) -> str:
    """The processor, how many of it this process may use, and the packages' versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    python = platform.python_version()
    return f"{provenance.machine()}, {accelerator()}Python {python}, {versions}"


def accelerator() -> str:
    """The first GPU's name and a comma, where torch is loaded and finds one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    return f"{torch.cuda.get_device_name(0)}, "


def add_options(parser: argparse.ArgumentParser, quick: str) -> None:
    """`--quick` and `--json`, which every benchmark has."""
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument(
        "--json",
        type=lambda text: Path(new_file(text)),
        metavar="FILE",
        help="write the figures there too",
    )


def keep(file: Path | None, *, machine: str, figures: Mapping[str, Any]) -> None:
    """Write the figures for `table.py`, if a file is given."""
    if file:
        content = {"command": _command(), "machine": machine, "figures": figures}
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _command() -> str:
    """The program and its options, without where the figures go and where data lies."""
    words = iter(sys.argv[1:])
    kept = [Path(sys.argv[0]).name]
    for word in words:
        if word == "--json":
            next(words, None)
        elif word in ("--data-dir", "--plain"):
            next(words, None)
            kept += [word, "..."]
        elif not word.startswith("--json="):
            kept.append(word)
    return " ".join(kept)

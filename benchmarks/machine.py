"""Names the machine of a figure and keeps the figure: shared by all benchmarks."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.cli.arguments import new_file
from search.tracking import provenance

if TYPE_CHECKING:
    import torch

    from search.trials.config import TrialConfig
    from trainers.data import TrainingData

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def announce(*packages: str) -> str:
    """Print the processor, how many of it this process may use, and the packages' versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    python = platform.python_version()
    described = f"{provenance.machine()}, {accelerator()}Python {python}, {versions}"
    print(described)
    return described


def accelerator() -> str:
    """The first GPU's name and a comma, where torch is loaded and finds one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ""
    return f"{torch.cuda.get_device_name(0)}, "


def options(about: str | None, quick: str, **numbers: int) -> argparse.ArgumentParser:
    """The parser of a benchmark: `--quick` and `--json`, which all have, and whole numbers.

    Args:
        about: the program's docstring.
        quick: what that option does.
        numbers: option -> default.
    """
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument(
        "--json",
        type=lambda text: Path(new_file(text)),
        metavar="FILE",
        help="write the figures there too",
    )
    for name, default in numbers.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, default=default, help="default: %(default)s")
    return parser


def add_data(parser: argparse.ArgumentParser) -> None:
    """`--data-dir`, which may be left out."""
    parser.add_argument(
        "--data-dir",
        type=lambda text: str(Path(text).resolve()),
        help="of the real images; the stand-in ones without it",
    )


def load(dataset: str, data_dir: str | None, train_size: int | None) -> TrainingData:
    """The real images, the stand-in ones without a folder."""
    from trainers.data import load_training

    return load_training(dataset, data_dir=data_dir, mini=not data_dir, train_size=train_size)


def trial_config(pipeline: str, params: Mapping[str, Any], **fields: Any) -> TrialConfig:
    """A trial's configuration, of no study unless one is named."""
    from search.trials.config import TrialConfig

    usual = {"trial_id": "benchmark", "number": 0, "study": "benchmark", "seed": 0}
    return TrialConfig(pipeline=pipeline, params=dict(params), **{**usual, **fields})


def use_threads(count: int) -> None:
    """Compute as a search's worker does, on so many threads."""
    import torch

    torch.set_num_threads(count)
    torch.set_flush_denormal(True)


def wait(device: torch.device | None) -> None:
    """Until a GPU has done all."""
    if device is not None and device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


def seconds(
    function: Callable[[], object], calls: int = 1, device: torch.device | None = None
) -> float:
    """Seconds of one call, the mean of `calls`, of which none is waited for but the last."""
    wait(device)
    began = time.perf_counter()
    for _ in range(calls):
        function()
    wait(device)
    return (time.perf_counter() - began) / calls


def in_turn(rounds: int, sides: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The median of each side's values: they take turns, so that other work slows all of them."""
    values: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            values[name].append(side())
    return {name: statistics.median(each) for name, each in values.items()}


def show(name: str, figures: Mapping[str, Any]) -> None:
    """Print a line of figures, each behind its name; lists are left out."""
    shown = {name: value for name, value in figures.items() if not isinstance(value, list)}
    parts = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items())
    print(f"{name}: {', '.join(parts)}", flush=True)


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

"""The private names that docs/architecture.md lists are where they were; no other is used."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
from ray.tune.experiment import Trial

ROOT = Path(__file__).resolve().parents[1]
PAGE = (
    (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("## Private names")[2]
)
LISTED = re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", PAGE, re.MULTILINE)
NAMES = [name for name, _ in LISTED]
PROCESS = {"_exit", "_run_exitfuncs"}  # Python's own


MADE: dict[object, Callable[[], Any]] = {  # classes whose attributes are made with an object
    optuna.study.Study: optuna.create_study,
    optuna.trial.FrozenTrial: lambda: optuna.trial.create_trial(value=0.0),
    optuna.trial.Trial: lambda: optuna.create_study().ask(),
    Trial: lambda: Trial("anything", stub=True),
}


def member(owner: Any, name: str) -> Any:
    """An attribute, or a function's argument."""
    if inspect.isroutine(owner):
        # Ray takes its private settings by keyword, and refuses those that it does not know.
        assert name in inspect.getsource(owner), f"{owner} has no {name}"
        return owner
    return getattr(MADE.get(owner, lambda: owner)() if isinstance(owner, type) else owner, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_private_name_is_where_it_was(name: str) -> None:
    if name == "mlflow.sharedViewState":
        pages = (Path(mlflow.__file__).parent / "server" / "js" / "build").rglob("*.js")
        assert any(name.encode() in page.read_bytes() for page in pages)
        return
    words = name.split(".")
    for length in range(len(words), 0, -1):
        try:
            module = importlib.import_module(".".join(words[:length]))
        except ImportError:
            continue
        reduce(member, words[length:], module)
        return
    raise AssertionError(f"no module of {name}")


def private(file: Path) -> set[str]:
    """The private names of others that a file uses: the last word of each."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            found.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
        elif isinstance(node, ast.ImportFrom) and "._" in (node.module or ""):
            found |= {f"_{alias.name}" for alias in node.names}
    return {name for name in found if re.match(r"_[a-zA-Z]", name)} - PROCESS


def test_every_private_name_is_listed_where_it_is_used() -> None:
    known = {
        f"_{word}" if not word.startswith("_") else word for n in NAMES for word in n.split(".")
    }
    used = {file: private(file) for file in sorted((ROOT / "search").rglob("*.py"))}
    assert {"_storage", "_GcsClient", "_node_ip_address"} <= set().union(*used.values())
    assert {str(file): names - known for file, names in used.items() if names - known} == {}
    for name, places in LISTED:
        last = name.split(".")[-1]
        for place in re.findall(r"`([^`]+)`", places):
            assert last in (ROOT / place).read_text(encoding="utf-8"), (name, place)


def test_a_library_whose_private_names_are_used_is_bounded_above() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for library in {name.split(".")[0] for name in NAMES}:
        assert re.search(rf'"{library}(\[\w+\])?>=[\d.]+,<[\d.]+"', text), library

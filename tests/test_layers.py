"""Imports point one way, analysis -> search -> trainers -> models, and other habits of the layout.

The imports are read from the source, those inside functions too, so that nothing need be run.
"""

from __future__ import annotations

import ast
import runpy
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from analysis import fingerprint
from search.cells import cell

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("models", "trainers", "search", "analysis")  # each may import those before it
THIRD_PARTY = {
    "models": {"torch"},
    "trainers": {"torch", "torchvision", "numpy", "scipy", "sklearn", "PIL", "filelock"},
}
SERVICES = {"ray", "optuna", "mlflow", "rich", "plotly", "pyarrow", "safetensors"}
SERVICES |= {"IPython", "pandas"}  # a notebook brings the one, MLflow the other
THIRD_PARTY["search"] = THIRD_PARTY["trainers"] | SERVICES
TEST_SET = "trainers.data.test_set"
TRIAL_PATH = (
    "search.trials.trial",
    "search.cluster.worker",
    "search.tuning.driver",
    "search.tuning.session",
    "search.cluster.tuner",
    "search.cells.training",
    "search.cells.baselines",
    "search.finals.plan",
)
# package of search/ -> those that it may import besides errors; plug-ins are named by their folder.
PACKAGES = {
    "errors": "",
    "files": "",
    "spaces": "",
    "pipelines": "spaces",
    "trials": "spaces files",
    "study": "trials spaces files",
    "cli": "trials spaces files",
    "cluster": "trials spaces files",
    "tracking": "study cluster trials spaces files",
    "cells": "tracking cluster cli trials spaces files",
    "tuning": "tracking study cluster cli trials spaces files",
    "finals": "cells tracking cluster cli trials spaces files",
    "grids": "cells tracking cluster cli trials spaces files",
    "sweeps": "grids cells trials spaces",
    # The commands.
    "tune": "tuning cluster cli spaces",
    "rerun": "finals cluster cli spaces",
    "sweep": "grids cluster cli",
    "doctor": "cells tracking cli files",
    "embed": "cells tracking cluster cli spaces files champions",
    "studies": "tuning tracking study cli spaces files",
    "api": "champions rerun tune tuning finals study cluster cli spaces files",
    "main": "spaces",
    "champions": "cells tracking files",
}
# library -> the packages of search/ that import it: of Optuna's distributions spaces are made.
BEHIND = {
    "mlflow": {"tracking"},
    "ray": {"cluster"},
    "optuna": {"study", "spaces", "pipelines"},
}
# Who imports by a name made at run time, and from where.
BY_NAME = {
    "search.spaces.pipeline": ("search.pipelines.", "search.spaces.builders"),
    "search.grids.sweep": ("search.sweeps.",),
}
# What a cell is trained and kept with, and that its numbers do not follow from.
NOT_IN_THE_NUMBERS = {
    "search.cells.cell",
    "search.cells.store",
    "search.cells.training",
    "search.cluster.resources",
    "search.trials.process",
    "search.spaces.space",  # a pipeline's table of ranges and defaults
    "search.errors",
    "search.cli.output",
    "search.cli.notebook",
}
MODES = ("r", "r+", "w", "w+", "a", "a+", "x")  # of files with text
DYNAMIC = ("import_module", "__import__", "runpy", "spec_from_file_location", "exec(")


def name_of(file: Path) -> str:
    """models/encoder.py -> models.encoder; a package goes by its folder."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    name_of(file): file
    for layer in LAYERS
    for file in sorted((ROOT / layer).rglob("*.py"))
    if "__pycache__" not in file.parts
}
MODULES = sorted(FILES)


def imported(module: str) -> set[str]:
    """Every dotted name that the module's source imports, `from a import b` as a and a.b."""
    file = FILES[module]
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found


def tops(module: str) -> set[str]:
    """The top-level names that a module imports."""
    return {name.split(".")[0] for name in imported(module)}


def loaded_by(module: str) -> set[str]:
    """Our own modules that importing this one runs directly: those named and the packages above."""
    # `search.run` is looked up when a person asks for it; nothing in the package does.
    asked_for = "search.api" if module == "search" else "-"
    named = {name for name in imported(module) if not name.startswith(asked_for)}
    for folder in BY_NAME.get(module, ()):
        named |= {name for name in FILES if name.startswith(folder)}
    with_parents = {
        ".".join(parts[:length])
        for name in named | {module}
        for parts in [name.split(".")]
        for length in range(1, len(parts) + 1)
    }
    return (with_parents & FILES.keys()) - {module}


def reachable(module: str) -> dict[str, str]:
    """Every module of ours that `module` brings in -> the one that brought it."""
    seen = {module: ""}
    waiting = [module]
    while waiting:
        current = waiting.pop()
        for found in sorted(loaded_by(current) - seen.keys()):
            seen[found] = current
            waiting.append(found)
    return seen


def chain(seen: dict[str, str], module: str) -> str:
    """How `module` was reached, for the message."""
    steps = [module]
    while seen[steps[-1]]:
        steps.append(seen[steps[-1]])
    return " <- ".join(steps)


def in_layer(layer: str) -> Iterator[str]:
    return (module for module in MODULES if module.split(".")[0] == layer)


def test_there_is_something_to_read() -> None:
    assert {"models", "trainers", "search"} <= set(MODULES)
    assert "torch" in tops("models.encoder")
    assert "mlflow" in tops("search.tracking.store"), "imports inside functions are read too"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    allowed = set(LAYERS[: LAYERS.index(module.split(".")[0]) + 1])
    assert tops(module) & {*LAYERS, "tests", "benchmarks"} <= allowed


@pytest.mark.parametrize("module", [m for layer in THIRD_PARTY for m in in_layer(layer)])
def test_a_layer_imports_only_the_libraries_it_may(module: str) -> None:
    foreign = tops(module) - sys.stdlib_module_names - set(LAYERS) - {"__future__"}
    assert foreign <= THIRD_PARTY[module.split(".")[0]]


@pytest.mark.parametrize("module", [m for m in in_layer("search") if "." in m])
def test_a_package_of_search_imports_only_those_it_may(module: str) -> None:
    package = module.split(".")[1]
    named = {name.split(".")[1] for name in imported(module) if name.startswith("search.")}
    assert named - {package, "errors"} <= set(PACKAGES[package].split())


def test_the_drawing_of_the_packages_is_todays() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    renewed = runpy.run_path(str(ROOT / "docs" / "architecture.py"))["renewed"]
    assert renewed(page) == page, "python docs/architecture.py"


@pytest.mark.parametrize("library", BEHIND)
def test_a_library_is_behind_one_package(library: str) -> None:
    homes = {module.split(".")[1] for module in in_layer("search") if library in tops(module)}
    assert homes == BEHIND[library]
    assert not [
        m for layer in ("models", "trainers") for m in in_layer(layer) if library in tops(m)
    ]


def test_no_imports_go_round_in_a_circle() -> None:
    """Those for annotations alone counted too."""
    open_, done = [], set()

    def visit(module: str) -> None:
        assert module not in open_, " -> ".join([*open_[open_.index(module) :], module])
        if module in done:
            return
        open_.append(module)
        for other in sorted(imported(module) & FILES.keys() - {module}):
            # `from package import module` needs what the package's own file imports, if anything.
            if not (FILES[other].name == "__init__.py" and module.startswith(f"{other}.")):
                visit(other)
        done.add(open_.pop())

    for module in MODULES:
        visit(module)


def test_importing_by_a_name_made_at_run_time_happens_in_one_place() -> None:
    """Such an import is invisible here; `reachable` knows of `BY_NAME` and of no other."""
    sources = {m: FILES[m].read_text(encoding="utf-8") for m in MODULES}
    dynamic = {m for m, text in sources.items() if any(word in text for word in DYNAMIC)}
    assert dynamic - set(in_layer("analysis")) <= {*BY_NAME, "trainers.torchvision_import"}
    # The last loads torchvision by its name and nothing of ours.
    assert 'import_module("torchvision' in sources["trainers.torchvision_import"] or (
        "import_module" not in sources["trainers.torchvision_import"]
    )


@pytest.mark.parametrize("start", TRIAL_PATH)
def test_a_trial_cannot_reach_the_test_set(start: str) -> None:
    seen = reachable(start)
    assert "trainers.loop" in seen, "what a trial is made of is found"
    assert "search.pipelines.mnist_autoencoder" in seen, "the pipelines are found"
    assert TEST_SET in FILES
    assert TEST_SET not in seen, chain(seen, TEST_SET)


def test_a_cells_fingerprint_is_of_all_that_its_training_imports() -> None:
    covered = {file for pattern in cell.CODE for file in ROOT.glob(pattern)}
    assert all(any(ROOT.glob(pattern)) for pattern in cell.CODE)
    trained_by = reachable("search.trials.trial") | reachable("search.spaces.rebuild")
    trained_by |= dict.fromkeys(loaded_by("search.cells.baselines"), "search.cells.baselines")
    missing = {m for m in trained_by if FILES[m] not in covered and FILES[m].name != "__init__.py"}
    # A pipeline's own file is part of the cell's id.
    # Of the images, a cell names the fingerprint.
    named = ("search.pipelines.", "trainers.data")
    assert {m for m in missing if not m.startswith(named)} == NOT_IN_THE_NUMBERS


def test_a_reports_fingerprint_is_of_all_that_it_imports() -> None:
    covered = {file for pattern in fingerprint.CODE for file in ROOT.glob(pattern)}
    assert {FILES[module] for module in reachable("analysis.report")} <= covered


def test_no_file_beside_the_commands_hides_a_package() -> None:
    """`python search/tune.py` puts search/ first on the path."""
    taken = set(sys.stdlib_module_names) | set(packages_distributions()) | set(LAYERS)
    for folder in ("search", "analysis", "benchmarks"):
        entries = (ROOT / folder).glob("*")
        names = {entry.stem for entry in entries if entry.suffix == ".py" or entry.is_dir()}
        assert not (names - {"__init__", "__pycache__"}) & taken, folder


def test_an_installed_copy_has_every_package_and_its_types() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        setup = tomllib.load(file)["tool"]["setuptools"]
    assert setup["packages"]["find"]["include"] == [f"{layer}*" for layer in LAYERS]
    assert "py.typed" in setup["package-data"]["*"]
    assert all((ROOT / layer / "py.typed").exists() for layer in LAYERS)


def test_a_file_says_what_it_is_for() -> None:
    silent = [m for m in MODULES if not ast.get_docstring(ast.parse(FILES[m].read_text()))]
    assert silent == []


def test_text_is_utf8_whatever_the_locale() -> None:
    """In a strict C locale Python would take ASCII for what a call does not name."""
    found = []
    for file in [*FILES.values(), *(ROOT / "benchmarks").glob("*.py")]:
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                first = ast.unparse(call.args[0]).strip("'") if call.args else "r"
                modes = {"read_text": ("r",), "write_text": (first,), "open": MODES}
                named = {"encoding", "mode"} & {str(keyword.arg) for keyword in call.keywords}
                if first in modes.get(call.func.attr, ()) and not named:
                    found.append(f"{file.name}: {ast.unparse(call)}")
    assert found == []


def test_a_package_above_every_module() -> None:
    """Else an installed copy would leave the module out."""
    assert {m.rpartition(".")[0] for m in MODULES if "." in m} <= FILES.keys()

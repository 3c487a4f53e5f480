"""Imports point one way, analysis -> search -> trainers -> models, and other habits of the layout.

The imports are read from the source, those inside functions too, so that nothing need be run.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("models", "trainers", "search", "analysis")  # each may import those before it
THIRD_PARTY = {
    "models": {"torch"},
    "trainers": {"torch", "torchvision", "numpy", "sklearn"},
    "search": {
        *("ray", "optuna", "mlflow", "rich", "plotly", "safetensors"),
        *("torch", "torchvision", "numpy", "scipy", "sklearn"),
    },
}
TEST_SET = "trainers.data.test_set"
TRIAL_PATH = (
    *("search.trial", "search.worker", "search.driver", "search.session", "search.ray_run"),
    *("search.finals.training", "search.finals.baselines", "search.finals.plan"),
)
# Who imports by a name made at run time, and from where.
BY_NAME = {
    "search.pipeline": ("search.pipelines.",),
    "search.sweeping.sweep": ("search.sweeps.",),
}
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
    named = imported(module)
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
    assert "mlflow" in tops("search.tracking"), "imports inside functions are read too"


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    allowed = set(LAYERS[: LAYERS.index(module.split(".")[0]) + 1])
    assert tops(module) & {*LAYERS, "tests", "benchmarks"} <= allowed


@pytest.mark.parametrize("module", [m for layer in THIRD_PARTY for m in in_layer(layer)])
def test_a_layer_imports_only_the_libraries_it_may(module: str) -> None:
    foreign = tops(module) - sys.stdlib_module_names - set(LAYERS) - {"__future__"}
    assert foreign <= THIRD_PARTY[module.split(".")[0]]


def test_one_module_of_search_imports_mlflow() -> None:
    assert [module for module in MODULES if "mlflow" in tops(module)] == ["search.tracking"]


def test_ray_stays_in_search_and_matplotlib_in_analysis() -> None:
    homes = {"ray": {"search"}, "matplotlib": {"analysis"}}
    for library, layers in homes.items():
        where = {module.split(".")[0] for module in MODULES if library in tops(module)}
        assert where <= layers, library


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


def test_no_file_beside_the_commands_hides_a_package() -> None:
    """`python search/tune.py` puts search/ first on the path."""
    taken = set(sys.stdlib_module_names) | set(packages_distributions()) | set(LAYERS)
    for folder in ("search", "analysis", "benchmarks"):
        entries = (ROOT / folder).glob("*")
        names = {entry.stem for entry in entries if entry.suffix == ".py" or entry.is_dir()}
        assert not (names - {"__init__", "__pycache__"}) & taken, folder


def test_the_package_list_is_the_folders_with_an_init() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["setuptools"]["packages"]
    top = [folder.parent for folder in ROOT.glob("[!._]*/__init__.py")]
    folders = {init.parent for package in top for init in package.rglob("__init__.py")}
    assert sorted(listed) == sorted(".".join(f.relative_to(ROOT).parts) for f in folders)


def test_a_file_says_what_it_is_for() -> None:
    silent = [m for m in MODULES if not ast.get_docstring(ast.parse(FILES[m].read_text()))]
    assert silent == []


def test_a_package_above_every_module() -> None:
    """Else an installed copy would leave the module out."""
    assert {m.rpartition(".")[0] for m in MODULES if "." in m} <= FILES.keys()

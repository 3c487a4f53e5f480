"""Cells: the trainings behind final numbers, each named by all that determines it.

A cell's folder is made whole or not at all. Whatever finds it there need not train it again: a
rerun that was interrupted, one with more seeds, a baseline that two pipelines share. MLflow's runs
are written from these folders and can be written again at any time.
"""

from __future__ import annotations

import ast
import dataclasses
import fcntl
import functools
import hashlib
import inspect
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors.torch import load_file, save_file
from torch import Tensor

from search.cluster import ROOT
from search.errors import UserError
from search.pipeline import Scalar, load_pipeline

Kind = Literal["trained", "ablation", "random_encoder", "pca", "pixels"]
Curves = list[dict[str, float]]

MODEL = "model.json"
WEIGHTS = "weights.safetensors"
METRICS = "metrics.json"
TEST_METRICS = "test.json"
TEST_OUTPUTS = "test.npz"
# What a cell's numbers follow from; a change here makes new cells, in comments and prose it does
# not. Of a pipeline's file only what it builds with counts: the rest stands in the cell's fields.
CODE = (
    "models",
    "trainers",
    "search/recipes.py",
    "search/trial.py",
    "search/pipeline.py",
    "search/rebuild.py",
    "search/finals/baselines.py",
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is trained and measured.

    Attributes:
        kind: `trained` by the pipeline's method, its `ablation`, or an encoder that is not
            trained at all.
        dataset: a key of `trainers.data.DATASETS`.
        data: fingerprint of the images and the split.
        train_size: training images.
        seed: of everything random in it.
        pipeline, params, epochs: empty where they do not matter, so that pipelines share a cell.
    """

    kind: Kind
    dataset: str
    data: str
    train_size: int
    seed: int
    pipeline: str = ""
    params: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)
    epochs: int = 0

    @functools.cached_property
    def id(self) -> str:
        """Twelve hex digits."""
        named = [dataclasses.asdict(self), self._builder(), code_fingerprint()]
        text = json.dumps(named, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __hash__(self) -> int:
        return hash(self.id)

    def _builder(self) -> str:
        """What the pipeline makes its method with: the function's name, and the file it is in."""
        if not self.pipeline:
            return ""
        pipeline = load_pipeline(self.pipeline)
        build = pipeline.ablation if self.kind == "ablation" else pipeline.build
        if build is None:
            return ""
        return f"{build.__qualname__} {_syntax(Path(inspect.getfile(build)))}"

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return dataclasses.asdict(self)


@functools.cache
def code_fingerprint() -> str:
    """16 hex digits over the code that makes a cell's numbers, comments and docstrings left out."""
    digest = hashlib.sha256()
    for entry in CODE:
        path = ROOT / entry
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(f"{file.relative_to(ROOT)} {_syntax(file)}\n".encode())
    return digest.hexdigest()[:16]


class _WithoutDocstrings(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:  # the name is ast's
        return None if isinstance(node.value, ast.Constant) else node


def _syntax(file: Path) -> str:
    """16 hex digits of what the file says to the interpreter."""
    tree = _WithoutDocstrings().visit(ast.parse(file.read_text(encoding="utf-8")))
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]


def file_hash(file: Path) -> str:
    """16 hex digits of a file's bytes."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Kept:
    """A cell whose folder is there."""

    cell: Cell
    folder: Path

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured after the last epoch, train and validation."""
        return dict(self.curves[-1])

    @property
    def curves(self) -> Curves:
        """The metrics of each epoch, with `epoch` and `timestamp` (milliseconds)."""
        return list(json.loads((self.folder / METRICS).read_text()))

    @property
    def began(self) -> int:
        """When its first epoch began, in milliseconds."""
        first = self.curves[0]
        spent = first.get("time/epoch_seconds", 0.0) + first.get("time/evaluation_seconds", 0.0)
        return int(first["timestamp"] - 1000 * spent)

    @property
    def ended(self) -> int:
        """When its last epoch ended, in milliseconds."""
        return int(self.curves[-1]["timestamp"])

    @property
    def model(self) -> dict[str, Any]:
        """Enough to rebuild the model, and where and when it was trained."""
        return dict(json.loads((self.folder / MODEL).read_text()))

    def weights(self) -> dict[str, Tensor]:
        """name -> tensor."""
        return load_file(self.folder / WEIGHTS)

    def weights_hash(self) -> str:
        """16 hex digits: which weights a number belongs to."""
        return file_hash(self.folder / WEIGHTS)

    @property
    def tested(self) -> bool:
        """Whether the test set was read for it."""
        return (self.folder / TEST_METRICS).exists()

    @property
    def test(self) -> dict[str, Any]:
        """What was measured on the test set."""
        return dict(json.loads((self.folder / TEST_METRICS).read_text()))

    def test_outputs(self) -> dict[str, np.ndarray]:
        """`predictions` (N,), `labels` (N,) and, for trained cells, `latents` (N, D)."""
        with np.load(self.folder / TEST_OUTPUTS) as stored:
            return {name: stored[name] for name in stored.files}


class Shelf:
    """The folders of all cells.

    Args:
        folder: `mlruns/finals`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def trials(self) -> Path:
        """Has a folder for each training under way."""
        return self.folder / "trials"

    def find(self, cell: Cell) -> Kept | None:
        """The cell, if it is there with all that it needs."""
        folder = self.folder / cell.id
        whole = all((folder / name).is_file() for name in (MODEL, WEIGHTS, METRICS))
        return Kept(cell, folder) if whole else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While entered no other command trains cells here.

        Raises:
            UserError: another one does.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "driver.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    f"another rerun or sweep is at work in {self.folder.parent}\n"
                    "wait for it, or stop it"
                ) from None
            yield

    def missing(self, cells: Iterable[Cell]) -> list[Cell]:
        """Those that are not there, each once, in order."""
        return [cell for cell in dict.fromkeys(cells) if self.find(cell) is None]

    def keep(
        self,
        cell: Cell,
        *,
        weights: Path | Mapping[str, Tensor],
        curves: Curves,
        facts: Mapping[str, Any],
    ) -> Kept:
        """Make the cell's folder; `weights` as a file is moved there.

        Args:
            facts: stored beside the cell's own fields: where it was trained, with what.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in self.folder.glob(f".{cell.id}.*"):
            shutil.rmtree(stale)  # of a process that was killed: one driver holds the lock
        new = self.folder / f".{cell.id}.{os.getpid()}"
        new.mkdir()
        if isinstance(weights, Path):
            shutil.move(weights, new / WEIGHTS)
        else:
            save_file(dict(weights), new / WEIGHTS)
        described = {**cell.to_json(), "cell": cell.id, "code": code_fingerprint(), **facts}
        (new / MODEL).write_text(json.dumps(described, indent=2))
        (new / METRICS).write_text(json.dumps(curves, indent=1))
        made = self.folder / cell.id
        if made.exists():  # without its weights, else it would not be made again
            shutil.rmtree(made)
        new.rename(made)
        return Kept(cell, made)

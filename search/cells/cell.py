"""Cells: the trainings behind final numbers, each named by all that determines it.

A cell's folder is made whole or not at all. Whatever finds it there need not train it again: a
rerun that was interrupted, one with more seeds, a baseline that two pipelines share. MLflow's runs
are written from these folders and can be written again at any time.

`model.json` and `test.json` bear the hashes of the files beside them. What is damaged counts as
missing: it is trained or measured again.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
import json
import logging
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from safetensors import safe_open

from search.files import fingerprint, seals
from search.files.seals import file_hash
from search.spaces.pipeline import Scalar, pipeline_of
from search.trials.checkpoint import WEIGHTS

log = logging.getLogger(__name__)

Kind = Literal["trained", "ablation", "random_encoder", "pca", "pixels"]
Curves = list[dict[str, float]]

MODEL = "model.json"
METRICS = "metrics.json"
TEST_METRICS = "test.json"
TEST_OUTPUTS = "test.npz"
# What a cell's numbers follow from: a change makes new cells. Of a pipeline's file counts what it
# builds with, see `Cell._builder`; the rest stands in the cell's fields.
CODE = (
    "models/**/*.py",
    *("trainers/*.py", "trainers/augmentation/*.py", "trainers/methods/*.py"),
    *("trainers/data/datasets.py", "trainers/measures/structure.py"),
    "search/spaces/builders.py",
    *("search/trials/config.py", "search/trials/trial.py"),
    "search/spaces/pipeline.py",
    "search/spaces/rebuild.py",
    "search/cells/baselines.py",
)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training with its measurements, named by its content.

    Attributes:
        kind: `trained` by the pipeline's method, its `ablation`, or an encoder that is not
            trained at all.
        dataset: a key of `trainers.data.DATASETS`.
        data: fingerprint of the images and the split.
        train_size: training images.
        seed: of everything random in it.
        pipeline, params, epochs: empty where they do not matter, so that pipelines share a cell.
        device, precision: that it is trained with; empty where nothing is. A row of a table is of
            one device and one number format.
        images: the description of a user's own images; None for a built-in data set.
        source: the text that defines a user's own pipeline; None for a built-in one.
    """

    kind: Kind
    dataset: str
    data: str
    train_size: int
    seed: int
    pipeline: str = ""
    params: Mapping[str, Scalar] = dataclasses.field(default_factory=dict)
    epochs: int = 0
    device: str = ""
    precision: str = ""
    images: Mapping[str, Any] | None = None
    source: str | None = None

    @functools.cached_property
    def id(self) -> str:
        """Twelve hex digits."""
        named = [dataclasses.asdict(self), self._builder(), code_fingerprint()]
        text = json.dumps(named, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __hash__(self) -> int:
        return hash(self.id)

    def _builder(self) -> str:
        """The function that builds the pipeline's method: its name, and a hash of its file."""
        if not self.pipeline:
            return ""
        build = pipeline_of(vars(self)).builder(ablation=self.kind == "ablation")
        if self.source:
            return build.__qualname__
        return f"{build.__qualname__} {fingerprint.of_code(file=Path(inspect.getfile(build)))}"

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return dataclasses.asdict(self)


@functools.cache
def code_fingerprint() -> str:
    """A hash of the code that makes a cell's numbers."""
    return fingerprint.of_code(*CODE)


def damaged_training(folder: Path, *, curves: bool = True) -> str | None:
    """The first file of a cell's training that is missing or damaged; None if all is well.

    Args:
        folder: the cell's, or a copy of its run's artifacts.
        curves: whether they are there: MLflow keeps them as metrics.
    """
    others: dict[str, Callable[[Path], object]] = {WEIGHTS: _look_at_weights}
    return seals.damaged(folder, MODEL, others | ({METRICS: _look_at_curves} if curves else {}))


def damaged_test(folder: Path) -> str | None:
    """The same of what was measured on the test set, of these weights."""
    damaged = seals.damaged(folder, TEST_METRICS, {TEST_OUTPUTS: _look_at_outputs})
    if damaged is None and _tested_weights(folder) not in (None, file_hash(folder / WEIGHTS)):
        return TEST_METRICS
    return damaged


def test_outputs(folder: Path) -> dict[str, np.ndarray]:
    """`predictions` (N,), `labels` (N,) and, for trained cells, `latents` (N, D)."""
    with np.load(folder / TEST_OUTPUTS) as stored:
        return {name: stored[name] for name in stored.files}


def _look_at_weights(file: Path) -> None:
    """Check weights without a hash: the test's record, if there is one, names its weights."""
    with safe_open(file, "pt"):
        pass
    if _tested_weights(file.parent) not in (None, file_hash(file)):
        raise ValueError("others were tested")


def _tested_weights(folder: Path) -> str | None:
    try:
        return str(seals.read(folder / TEST_METRICS)["reading"]["weights"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _look_at_curves(file: Path) -> None:
    json.loads(file.read_bytes())[-1]["timestamp"]


def _look_at_outputs(file: Path) -> None:
    if seals.once(_broken_member, file):
        raise ValueError("it was changed")


def _broken_member(file: Path) -> str | None:
    with zipfile.ZipFile(file) as stored:
        return stored.testzip()

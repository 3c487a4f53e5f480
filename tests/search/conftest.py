"""Ready-made parts: mini data of few images, an empty MLflow store, the command as a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from search.pipeline import Scalar
from search.trial import TrialConfig
from trainers.data import LabelledImages, TrainingData, load_training

ROOT = Path(__file__).resolve().parents[2]
TUNE = ROOT / "search" / "tune.py"

Few = Callable[[str], TrainingData]
MakeConfig = Callable[..., TrialConfig]


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    status: int
    out: str
    err: str
    seconds: float


Tune = Callable[..., Finished]


@pytest.fixture(autouse=True)
def _environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No data folder from outside, and what a command sets does not leak into the next test."""
    before = dict(os.environ)
    os.environ.pop("DATA_DIR", None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def few() -> Few:
    """(dataset) -> mini data cut down to 120 training and 40 validation images."""
    kept: dict[str, TrainingData] = {}

    def load(dataset: str) -> TrainingData:
        if dataset not in kept:
            data = load_training(dataset, mini=True, train_size=120)
            valid = LabelledImages(data.valid.images[:40].copy(), data.valid.labels[:40].copy())
            kept[dataset] = TrainingData(
                dataset=dataset,
                source="mini",
                train=data.train,
                valid=valid,
                classes=data.classes,
                fingerprint=data.fingerprint,
                folder=None,
            )
        return kept[dataset]

    return load


@pytest.fixture(scope="session")
def make_config() -> MakeConfig:
    """(pipeline, changed parameters, other fields) -> a TrialConfig that trains in a moment."""
    from search.pipeline import load_pipeline

    def make(
        pipeline: str = "mnist_supervised",
        changes: Mapping[str, Scalar] | None = None,
        **fields: object,
    ) -> TrialConfig:
        params = {
            **load_pipeline(pipeline).defaults,
            "width": 4,
            "depth": 3,
            "batch_size": 40,
            **(changes or {}),
        }
        values = {
            "trial_id": "abc123abc123",
            "number": 0,
            "study": "s",
            "pipeline": pipeline,
            "params": params,
            "seed": 7,
            "epochs": 2,
            **fields,
        }
        return TrialConfig(**values)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without runs, to be copied: migrating a fresh one takes seconds."""
    from search.tracking import Store

    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    Store(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def prepare(empty_store: Path) -> Callable[[Path], Path]:
    """(folder) -> the folder with an empty store in mlruns/."""

    def place(folder: Path) -> Path:
        (folder / "mlruns").mkdir(parents=True, exist_ok=True)
        shutil.copy(empty_store, folder / "mlruns" / "mlflow.db")
        return folder

    return place


def environment() -> dict[str, str]:
    """The environment of a command: this one's, plain and quiet."""
    return {k: v for k, v in os.environ.items() if k != "DATA_DIR"} | {"NO_COLOR": "1"}


@pytest.fixture(scope="session")
def start() -> Callable[[Path, Sequence[str]], subprocess.Popen[str]]:
    """(folder, arguments) -> `python search/tune.py ...` under way in that folder."""

    def begin(folder: Path, arguments: Sequence[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(TUNE), *arguments],
            cwd=folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


@pytest.fixture(scope="session")
def tune(start: Callable[[Path, Sequence[str]], subprocess.Popen[str]]) -> Tune:
    """(folder, *arguments) -> how `python search/tune.py ...` ended in that folder."""

    def run(folder: Path, *arguments: str, timeout: float = 900) -> Finished:
        began = time.monotonic()
        process = start(folder, arguments)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Finished(process.returncode, out, err, time.monotonic() - began)

    return run

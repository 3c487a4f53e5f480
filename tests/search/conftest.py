"""Ready-made parts: mini data of few images, a configuration, the command."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from search.spaces.pipeline import Scalar
from search.tracking.store import Store
from search.trials.config import TrialConfig
from tests import commands
from trainers.data import LabelledImages, TrainingData, load_training

Few = Callable[[str], TrainingData]
MakeConfig = Callable[..., TrialConfig]


@pytest.fixture(autouse=True)
def _environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No data folder from outside, and what a command sets does not leak into the next test."""
    before = dict(os.environ)
    os.environ.pop("DATA_DIR", None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder; a command would otherwise write into the repository, or read its data."""
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture
def store(tmp_path: Path, prepare: Callable[[Path], Path]) -> Store:
    """MLflow's, without runs, below `tmp_path`."""
    return Store(f"sqlite:///{prepare(tmp_path) / 'mlruns' / 'mlflow.db'}")


@pytest.fixture(scope="session")
def few() -> Few:
    """(dataset) -> mini data cut down to 120 training and 40 validation images."""
    kept: dict[str, TrainingData] = {}

    def load(dataset: str) -> TrainingData:
        if dataset not in kept:
            data = load_training(dataset, mini=True, train_size=120)
            valid = LabelledImages(data.valid.images[:40].copy(), data.valid.labels[:40].copy())
            kept[dataset] = TrainingData(
                spec=data.spec,
                source="mini",
                train=data.train,
                valid=valid,
                fingerprint=data.fingerprint,
                folder=None,
            )
        return kept[dataset]

    return load


@pytest.fixture(scope="session")
def make_config() -> MakeConfig:
    """(pipeline, changed parameters, other fields) -> a TrialConfig that trains in a moment."""
    from search.spaces.pipeline import load_pipeline

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
def tune() -> Callable[..., commands.Ended]:
    """(folder, *arguments) -> how `python search/tune.py ...` ended in that folder."""
    return lambda folder, *arguments: commands.run("search/tune.py", *arguments, folder=folder)

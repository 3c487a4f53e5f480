"""Cells that nobody trains, which are there in a moment."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from search.cells import baselines
from search.cells.store import CellStore, TrainedCell
from search.cluster.resources import Resources
from search.spaces.pipeline import load_pipeline
from search.trials.trial import TrialImages
from tests.made_cell import made_cell
from trainers.data import TrainingData, load_training


@pytest.fixture(scope="package")
def digits() -> TrainingData:
    """Few of mini's."""
    return load_training("mnist", mini=True, train_size=200)


@pytest.fixture(scope="package")
def make_kept(
    digits: TrainingData, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., TrainedCell]:
    """(kind, seed, pipeline) -> a cell of these images, made once, in a folder of its own."""
    images = TrialImages.load(digits, "cpu")

    @cache
    def once(kind: str, seed: int, pipeline: str) -> TrainedCell:
        params = {**load_pipeline(pipeline).defaults, "width": 4, "depth": 3}
        own = {"pipeline": pipeline, "params": params}
        if kind in ("pca", "pixels"):
            own = {"pipeline": "", "params": {}}
        cell = made_cell(kind=kind, train_size=200, seed=seed, epochs=0, **own)
        cell_store = CellStore(tmp_path_factory.mktemp("finals"))
        where = {"cell_store": cell_store, "resources": Resources()}
        return baselines.make(cell, **where, images=images, facts={})

    def make(
        kind: str = "random_encoder", seed: int = 1, pipeline: str = "mnist_contrastive"
    ) -> TrainedCell:
        made = once(kind, seed, pipeline)
        folder = tmp_path_factory.mktemp("finals") / made.folder.name
        return replace(made, folder=shutil.copytree(made.folder, folder))

    return make

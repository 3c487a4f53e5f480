"""Folders for searches that are broken, and the data that they train on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from tests.faults.searches import Search
from tests.stores import prepare
from trainers.data import TrainingData, load_training


@pytest.fixture(scope="session")
def data() -> TrainingData:
    """What the searches train on."""
    return load_training("mnist", mini=True, train_size=256)


@pytest.fixture(scope="session")
def make_search(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Search]:
    """(trials, epochs, ...) -> a `Search` in a new folder."""

    def make(*, trials: int = 4, epochs: int = 6, store: bool = True, **more: Any) -> Search:
        folder = tmp_path_factory.mktemp("search")
        if store:
            prepare(folder)
        return Search(folder=folder, trials=trials, epochs=epochs, **more)

    return make


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """What a comparison sets does not leak into the next test."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
    torch.set_flush_denormal(False)

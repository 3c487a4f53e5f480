"""Test images are out of reach of anything that trains, and none of them is a training image."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import commands
from trainers.data import DATASETS, DataError, load_training, test_set
from trainers.data.test_set import load_test

REPOSITORY = Path(__file__).parents[3]


def test_training_never_imports_the_test_set_nor_anything_heavy() -> None:
    code = (
        "import sys, trainers.data\n"
        "for name in trainers.data.DATASETS: trainers.data.load_training(name, mini=True)\n"
        "print(*sys.modules)"
    )
    loaded = set(commands.cold(code).out.split())
    assert "trainers.data.training" in loaded
    assert not loaded & {"trainers.data.test_set", "torch", "torchvision", "ray", "mlflow"}


def test_only_this_module_names_the_test_files() -> None:
    for path in (REPOSITORY / "trainers" / "data").glob("*.py"):
        names_them = any(
            word in path.read_text() for word in ("t10k", '"test_batch', "/test_batch")
        )
        assert names_them == (path.name == "test_set.py"), path.name


@pytest.mark.parametrize(("dataset", "count"), [("mnist", 359), ("cifar", 1000)])
def test_mini_test_images_are_none_of_training(dataset: str, count: int) -> None:
    data, test = load_training(dataset, mini=True), load_test(dataset, mini=True)
    assert len(test) == count
    assert test.images.shape[1:] == data.train.images.shape[1:]
    assert np.bincount(test.labels, minlength=10).min() >= count // 10 - 3
    seen = {image.tobytes() for part in (data.train, data.valid) for image in part.images}
    assert not seen & {image.tobytes() for image in test.images}
    assert (load_test(dataset, mini=True).images == test.images).all()


def test_the_test_files_are_read_with_the_same_care(
    tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(test_set.TEST_FILES, tiny.dataset, tiny.files)
    test = load_test(tiny.dataset, data_dir=tiny.folder)
    assert (test.images == tiny.images).all()  # in the published order
    assert (test.labels == tiny.labels).all()
    shutil.copytree(tiny.folder, tmp_path / "cluster")
    assert len(load_test(tiny.dataset)) == len(test)
    tiny.written[0].write_bytes(b"")
    with pytest.raises(DataError, match="damaged"):
        load_test(tiny.dataset, data_dir=tiny.folder)


def test_the_real_test_sets_where_they_lie(real_folder: Path | None) -> None:
    for dataset in DATASETS:
        if real_folder is None:  # then at least what is missing is named
            with pytest.raises(DataError, match="is missing"):
                load_test(dataset, data_dir=REPOSITORY)
        else:
            test = load_test(dataset, data_dir=real_folder)
            assert len(test) == 10_000
            assert test.images.shape[1:] == (
                DATASETS[dataset].channels,
                *[DATASETS[dataset].size] * 2,
            )

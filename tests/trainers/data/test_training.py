"""The split is stratified, disjoint, the same every time; the fingerprint tells sets apart."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainers.data import (
    DATASETS,
    DataError,
    LabelledImages,
    TrainingData,
    load_training,
    training as training_module,
)
from trainers.data.split import stratified_order
from trainers.data.test_set import load_test

PUBLISHED_COUNTS = {
    "mnist": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "cifar": [5000] * 10,
}


def rows(part: LabelledImages) -> set[bytes]:
    return {image.tobytes() for image in part.images}


@pytest.mark.parametrize("dataset", PUBLISHED_COUNTS)
def test_the_published_class_counts_split_as_the_protocol_says(dataset: str) -> None:
    counts = np.array(PUBLISHED_COUNTS[dataset])
    labels = np.repeat(np.arange(10), counts)
    order = stratified_order(labels, training_module.SPLIT_SEED)
    assert (np.sort(order) == np.arange(len(labels))).all()
    valid = np.bincount(labels[order[: len(labels) // 10]])
    assert valid.sum() == {"mnist": 6000, "cifar": 5000}[dataset]
    assert np.abs(valid - counts / 10).max() <= (0 if dataset == "cifar" else 0.5)
    for size in (10, 500, 5000):
        part = np.bincount(labels[order[:size]], minlength=10)
        assert np.abs(part - counts * size / len(labels)).max() <= 1


def test_the_real_sets_where_they_lie_load_as_the_protocol_says(
    real_folder: Path | None, tiny_mnist: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without real data the tiny set stands in: the same assertions, other numbers."""
    sizes = {"mnist": (180, 20)}
    if real_folder is not None:
        monkeypatch.undo()
        sizes = {"mnist": (54_000, 6_000), "cifar": (45_000, 5_000)}
    for dataset, (train, valid) in sizes.items():
        data = load_training(dataset, data_dir=real_folder or tiny_mnist.folder)
        assert (len(data.train), len(data.valid)) == (train, valid)
        assert data.classes == DATASETS[dataset].classes
        assert not rows(data.train) & rows(data.valid)


def test_the_parts_are_disjoint_stratified_and_mixed() -> None:
    data = load_training("cifar", mini=True)
    assert (len(data.train), len(data.valid)) == (4500, 500)
    assert not rows(data.train) & rows(data.valid)
    assert (np.bincount(data.valid.labels) == 50).all()
    assert (np.bincount(data.train.labels[:100]) == 10).all()
    # Not laid out class by class: 100 fair neighbours agree about 9 times.
    assert (np.diff(data.train.labels[:100]) == 0).sum() < 20
    assert data.train.images.flags.c_contiguous
    assert data.train.images.dtype == np.uint8


def test_the_stand_ins_are_the_same_everywhere() -> None:
    """Pinned: a change here is another data set, and figures on it compare with none before."""
    assert load_training("cifar", mini=True).fingerprint == "9335289848ee3fd5"
    assert load_training("mnist", mini=True).fingerprint == "6020738313a4c3aa"


def test_train_size_keeps_a_stratified_nested_part_and_all_of_validation() -> None:
    whole = load_training("mnist", mini=True)
    parts = [load_training("mnist", mini=True, train_size=size) for size in (10, 300, 1294)]
    for size, part in zip((10, 300, 1294), parts, strict=True):
        assert len(part.train) == size
        share = np.bincount(whole.train.labels) * size / len(whole.train)
        assert np.abs(np.bincount(part.train.labels, minlength=10) - share).max() <= 1
        assert (part.train.images == whole.train.images[:size]).all()
        assert (part.valid.images == whole.valid.images).all()
        assert part.fingerprint == whole.fingerprint


@pytest.mark.parametrize("size", [-1, 0, 9, 1295, 54_000])
def test_a_train_size_out_of_range_is_an_error_that_gives_the_range(size: int) -> None:
    with pytest.raises(DataError, match="10 to 1,294") as error:
        load_training("mnist", mini=True, train_size=size)
    assert str(size) in str(error.value)


def test_the_fingerprint_changes_with_a_pixel_a_label_and_the_split(
    tiny_mnist: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fingerprint() -> str:
        return load_training("mnist", data_dir=tiny_mnist.folder).fingerprint

    def change_last_byte(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        tiny_mnist.change_checksums()
        monkeypatch.setitem(training_module.TRAINING_FILES, "mnist", tiny_mnist.files)

    seen = [fingerprint()]
    assert seen[0] == fingerprint()
    assert len(bytes.fromhex(seen[0])) == 8
    for path in tiny_mnist.written:
        change_last_byte(path)
        seen.append(fingerprint())
    monkeypatch.setattr(training_module, "SPLIT_SEED", 1)
    seen.append(fingerprint())
    assert len(set(seen)) == 4


@pytest.mark.parametrize("load", [load_training, load_test])
def test_wrong_arguments_are_errors_that_say_what_is_allowed(load: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mnist, cifar"):
        load("imagenet", mini=True)
    with pytest.raises(DataError, match="Mini data has no folder"):
        load("mnist", mini=True, data_dir=tmp_path)


def test_the_types_refuse_arrays_that_would_train_wrongly() -> None:
    images, labels = np.zeros((4, 1, 2, 2), np.uint8), np.zeros(4, np.int64)
    part = LabelledImages(images, labels)
    assert len(part) == 4
    with pytest.raises(FrozenInstanceError):
        part.labels = labels  # type: ignore[misc]
    wrong: list[tuple[Any, Any]] = [
        (images.astype(np.float32), labels),
        (images[:, 0], labels),
        (images.transpose(0, 1, 3, 2), labels),
        (images, labels.astype(np.int32)),
        (images, labels[:3]),
    ]
    for bad_images, bad_labels in wrong:
        with pytest.raises(ValueError, match="must be"):
            LabelledImages(bad_images, bad_labels)
    with pytest.raises(ValueError, match=r"labels must be 0 \.\. 1"):
        TrainingData(
            spec=replace(DATASETS["mnist"], classes=("a", "b")),
            source="mini",
            train=part,
            valid=LabelledImages(images, labels + 2),
            fingerprint="",
            folder=None,
        )

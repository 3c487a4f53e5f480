"""The stand-ins look like the sets they stand for, and pixels alone do not tell their classes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from trainers.data import DATASETS, TrainingData, load_training, mini as mini_module
from trainers.data.mini_patterns import draw_patterns


@pytest.fixture(scope="module")
def cifar() -> TrainingData:
    return load_training("cifar", mini=True)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_stand_in_has_the_shape_of_its_set_and_needs_no_folder(
    dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", "/nowhere")
    spec = DATASETS[dataset]
    data = load_training(dataset, mini=True)
    assert (data.source, data.folder, len(data.classes)) == ("mini", None, 10)
    assert data.train.images.shape[1:] == (spec.channels, spec.size, spec.size)
    assert set(data.valid.labels) == set(data.train.labels) == set(range(10))


@pytest.mark.parametrize("file_is_there", [True, False])
def test_mini_digits_are_scikit_learns(
    file_is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read from its file, or from where a later version keeps them."""
    if not file_is_there:
        monkeypatch.setattr(mini_module.Path, "exists", lambda path: False)
    images, labels = mini_module._small_digits()
    expected, classes = load_digits(return_X_y=True)
    assert (images == expected).all() and (labels == classes).all()
    assert images.dtype == labels.dtype == np.int64


def test_mini_digits_sit_in_the_middle_of_black_with_full_contrast() -> None:
    images = load_training("mnist", mini=True).train.images
    assert images[:, :, :4].max() == images[:, :, :, :4].max() == 0
    assert images[:, :, 24:].max() == images[:, :, :, 24:].max() == 0
    assert (images.max(axis=(1, 2, 3)) == 255).mean() > 0.99
    assert 25 < images.mean() < 42  # MNIST: 33
    edges = (images > 20) & (images < 235)
    assert edges.mean() > 0.05  # smooth, not a threshold


def test_mini_patterns_are_in_colour_and_of_both_polarities(cifar: TrainingData) -> None:
    images = cifar.train.images.astype(np.float64)
    assert 100 < images.mean() < 155
    assert images.mean(axis=(2, 3)).std(axis=1).mean() > 8  # the three channels differ
    dots = images[cifar.train.labels == cifar.classes.index("dots")].mean(axis=1)
    # Dots cover less than half of a picture, so that its median is ground.
    assert 0.3 < (dots.mean(axis=(1, 2)) > np.median(dots, axis=(1, 2))).mean() < 0.7


def test_classes_of_the_mini_patterns_are_their_own_names(cifar: TrainingData) -> None:
    assert cifar.classes == mini_module.CLASSES["cifar"] != DATASETS["cifar"].classes
    assert len(set(cifar.classes)) == 10


def test_patterns_of_another_seed_are_other_pictures_of_the_same_classes() -> None:
    one, same, other = (draw_patterns(50, seed=seed) for seed in (1, 1, 2))
    assert (one.images == same.images).all()
    assert (one.labels == other.labels).all()
    assert (one.images != other.images).any(axis=(1, 2, 3)).all()


@pytest.mark.slow
def test_a_linear_classifier_on_pixels_stays_under_60_percent(cifar: TrainingData) -> None:
    """Ridge regression in closed form at the best of three strengths; 23 % when measured."""

    def pixels(images: np.ndarray) -> np.ndarray:
        return images.reshape(len(images), -1).astype(np.float32) / 255 - 0.5

    x, target = pixels(cifar.train.images), np.eye(10, dtype=np.float32)[cifar.train.labels] - 0.1
    gram, right = x.T @ x, x.T @ target
    best = 0.0
    for strength in (1.0, 30.0, 300.0):
        weights = np.linalg.solve(gram + strength * np.eye(len(gram), dtype=np.float32), right)
        guess = (pixels(cifar.valid.images) @ weights).argmax(axis=1)
        best = max(best, float((guess == cifar.valid.labels).mean()))
    assert best < 0.6

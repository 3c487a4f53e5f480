"""Small stand-ins for the data sets, made on the spot: no files, no network, about a second.

For a first run, a demonstration or a test.  Figures on them say nothing about MNIST or CIFAR-10,
which is why every run on them is marked `mini`.

    mnist   scikit-learn's 8 x 8 digits, written by hand by 43 people, enlarged to MNIST's shape
    cifar   drawn patterns in two colours (mini_patterns.py)

Here stands what training may see.  The mini test images are the digits that training leaves out,
and patterns drawn from another seed, which only test_set.py knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.data.datasets import DATASETS, LabelledImages
from trainers.data.mini_patterns import PATTERNS, draw_patterns
from trainers.data.split import stratified_order

CLASSES: Mapping[str, tuple[str, ...]] = {"mnist": DATASETS["mnist"].classes, "cifar": PATTERNS}

_DIGITS_SEED = 1_998
_DIGITS_TRAINING = 0.8
_PATTERNS_SEED = 2_009
_PATTERNS_TRAINING = 5_000


def training_images(dataset: str) -> LabelledImages:
    """The stand-in for an official training set: 1,438 digits or 5,000 patterns, classes mixed."""
    if dataset == "mnist":
        everything = digits()
        return everything.take(digit_training_rows(everything.labels))
    return draw_patterns(_PATTERNS_TRAINING, seed=_PATTERNS_SEED)


def digit_training_rows(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The rows of digits() that training may see: four fifths, classes in proportion."""
    order = stratified_order(labels, _DIGITS_SEED)
    return order[: round(_DIGITS_TRAINING * len(order))]


def digits() -> LabelledImages:
    """scikit-learn's 1,797 digits as MNIST would show them: (1797, 1, 28, 28).

    MNIST fits a digit into 20 x 20 pixels, centred on black 28 x 28, its strokes nearly white.
    """
    small, labels = _small_digits()
    enlarge = _interpolation(8, 20)
    # 8 x 8 grey levels of 0 .. 16; weights in tenths on each axis make this exact in integers, so
    # that every machine makes the same pixels and the same fingerprint.
    grey = enlarge @ small.reshape(-1, 8, 8) @ enlarge.T
    # Interpolating blurs and fattens; a steeper grey scale brings back strokes like MNIST's.
    peak = grey.max(axis=(1, 2), keepdims=True)
    crisp = np.clip((grey * 35 - peak * 12) * 255 // (peak * 20), 0, 255)
    images = np.zeros((len(labels), 1, 28, 28), dtype=np.uint8)
    images[:, 0, 4:24, 4:24] = crisp
    return LabelledImages(images, labels)


def _small_digits() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(1797, 64) grey levels and (1797,) labels, as `sklearn.datasets.load_digits` has them.

    They are read from that package's file: importing it for them takes a second.
    """
    package = find_spec("sklearn")
    assert package and package.origin
    file = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if file.exists():
        rows = np.loadtxt(file, delimiter=",", dtype=np.int64)
    else:  # a later version may keep it elsewhere
        from sklearn.datasets import load_digits

        rows = np.column_stack(load_digits(return_X_y=True)).astype(np.int64)
    return rows[:, :-1], rows[:, -1]


def _interpolation(size: int, larger: int) -> npt.NDArray[np.int64]:
    """Linear interpolation between pixel centres as a matrix (larger, size) of whole numbers.

    Rows sum to 2 * larger; beyond the outer pixels' centres lies black.
    """
    # Pixel i of the larger image is centred at (2 i + 1) * size / (2 * larger) - 1/2 of the other.
    centres = (2 * np.arange(larger) + 1) * size - larger  # in units of 1 / (2 * larger)
    distance = np.abs(centres[:, None] - 2 * larger * np.arange(size))
    weights: npt.NDArray[np.int64] = np.maximum(2 * larger - distance, 0)
    return weights

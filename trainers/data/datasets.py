"""The table of data sets, and the types in which their images travel.

A new data set is one row in DATASETS, its files in training.py and test_set.py, and a decoder in
formats.py where its format is new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from trainers.errors import DataError


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """All that a model or an augmentation must know of a data set before it reads an image."""

    name: str  # as in pipeline names: mnist_autoencoder
    title: str  # as in the literature
    channels: int
    size: int  # height and width in pixels
    classes: tuple[str, ...]  # the name of each label; none where the images have no labels
    flips: bool  # whether a mirrored image is still of its class

    @property
    def glyphs(self) -> bool:
        """Grey, and a mirrored one is another: rotated and scaled, neither flipped nor cropped."""
        return self.channels == 1 and not self.flips


DATASETS: Mapping[str, DatasetSpec] = {
    spec.name: spec
    for spec in (
        DatasetSpec(
            name="mnist",
            title="MNIST",
            channels=1,
            size=28,
            classes=tuple("0123456789"),
            flips=False,
        ),
        DatasetSpec(
            name="cifar",
            title="CIFAR-10",
            channels=3,
            size=32,
            classes=(
                *("airplane", "automobile", "bird", "cat", "deer"),
                *("dog", "frog", "horse", "ship", "truck"),
            ),
            flips=True,
        ),
    )
}


def find_spec(dataset: str) -> DatasetSpec:
    """The row of a data set.  Raises DataError, listing the names there are."""
    try:
        return DATASETS[dataset]
    except KeyError:
        known = ", ".join(DATASETS)
        raise DataError(f"There is no data set {dataset!r}.\nGive one of: {known}.") from None


@dataclass(frozen=True)
class LabelledImages:
    """Images and their classes, row by row.

    images: uint8 (N, C, H, W), C-contiguous, so that a batch moves to a device in one copy.
    labels: int64 (N,).
    Raises ValueError where the arrays are anything else.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        images, labels = self.images, self.labels
        if images.dtype != np.uint8 or images.ndim != 4:
            raise ValueError(
                f"images must be uint8 (N, C, H, W), not {images.dtype} {images.shape}"
            )
        if not images.flags.c_contiguous:
            raise ValueError(f"images must be C-contiguous; strides are {images.strides}")
        if labels.dtype != np.int64 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"labels must be int64 ({len(images)},), not {labels.dtype} {labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[np.int64]) -> LabelledImages:
        """The given rows in the given order, copied."""
        return LabelledImages(np.take(self.images, rows, axis=0), np.take(self.labels, rows))


@dataclass(frozen=True)
class TrainingData:
    """All that a search or a trial may see of a data set: train and validation, never test."""

    spec: DatasetSpec  # a row of DATASETS; mini cifar's classes differ from CIFAR-10's
    source: Literal["real", "mini", "own"]
    train: LabelledImages  # in a fixed shuffled order
    valid: LabelledImages
    fingerprint: str  # 16 hex digits over all training images, labels and the split
    folder: str | None  # where the files were read; None for mini

    @property
    def dataset(self) -> str:
        """The data set's name."""
        return self.spec.name

    @property
    def label(self) -> str:
        """Which images of the data set: `real` or `mini`; the name of a user's own."""
        return self.spec.name if self.source == "own" else self.source

    @property
    def description(self) -> dict[str, Any] | None:
        """Of a user's own images: what a network is rebuilt with; as plain values."""
        return asdict(self.spec) if self.source == "own" else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each label."""
        return self.spec.classes

    @property
    def nbytes(self) -> int:
        """Bytes of all images."""
        return self.train.images.nbytes + self.valid.images.nbytes

    def digest(self) -> str:
        """16 hex digits over what is here, row by row; `fingerprint` is over all that was read.

        Computed again at every call: it tells whether a copy arrived whole.
        """
        total = hashlib.sha256(f"{self.dataset} {self.source} {self.classes}".encode())
        for part in (self.train, self.valid):
            total.update(f" {part.images.shape} ".encode())
            total.update(part.images.data)
            total.update(part.labels.astype("<i8").tobytes())
        return total.hexdigest()[:16]

    def __post_init__(self) -> None:
        for part in (self.train, self.valid):
            known = len(self.classes) or 1  # images without labels are all of one class
            if len(part) and not 0 <= part.labels.min() <= part.labels.max() < known:
                raise ValueError(
                    f"labels must be 0 .. {known - 1}, "
                    f"not {part.labels.min()} .. {part.labels.max()}"
                )

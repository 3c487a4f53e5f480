"""The official training set, split once into train and validation: all that a trial may see."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.data import mini as stand_in
from trainers.data.datasets import LabelledImages, TrainingData, find_spec
from trainers.data.files import Archive, DataFile, ImageFiles, find_folder, read_images
from trainers.data.formats import decode_cifar, decode_idx
from trainers.data.split import stratified_order
from trainers.errors import DataError

SPLIT_SEED = 20_240_607  # part of the protocol: another seed is another validation set
VALID_FRACTION = 0.1

CIFAR_ARCHIVE = Archive(path="cifar-10-python.tar.gz", md5="c58f30108f718f92721af3b95e74349a")

# Checksums of packed files and batches: torchvision's; of unpacked idx files: taken from them.
TRAINING_FILES: Mapping[str, ImageFiles] = {
    "mnist": ImageFiles(
        files=(
            DataFile(
                path="MNIST/raw/train-images-idx3-ubyte",
                md5="6bbc9ace898e44ae57da46a324031adb",
                gz_md5="f68b3c2dcbeaaa9fbdd348bbdeb94873",
            ),
            DataFile(
                path="MNIST/raw/train-labels-idx1-ubyte",
                md5="a25bea736e30d166cdddb491f175f624",
                gz_md5="d53e105ee54ea40749a09fcbcd1e9432",
            ),
        ),
        decode=decode_idx,
    ),
    "cifar": ImageFiles(
        files=tuple(
            DataFile(
                path=f"cifar-10-batches-py/data_batch_{number}", md5=md5, archive=CIFAR_ARCHIVE
            )
            for number, md5 in enumerate(
                (
                    "c99cafc152244af753f735de768cd75f",
                    "d4bba439e000b95fd0a9bffe97cbabec",
                    "54ebc095f3ab1f0389bbae665268c751",
                    "634d18415352ddfa80567beed471001a",
                    "482c414d41f54cd18b22e5b47cb7c3cb",
                ),
                start=1,
            )
        ),
        decode=decode_cifar,
    ),
}


def load_training(
    dataset: str,
    *,
    data_dir: str | Path | None = None,
    mini: bool = False,
    train_size: int | None = None,
) -> TrainingData:
    """Train and validation images of a data set, the same at every call.

    data_dir: the folder to read; see files.find_folder for what None does.
    mini: the stand-in that needs no files, in place of the real images.
    train_size: keep so many of the train images, classes in proportion; validation stays whole.
    Raises DataError: unknown name, files missing or damaged, train_size out of range.
    """
    spec = find_spec(dataset)
    folder: Path | None = None
    if mini:
        if data_dir is not None:
            raise DataError(
                f"Mini data has no folder, but {str(data_dir)!r} was given.\n"
                "Give either --data-dir or --data mini."
            )
        everything = stand_in.training_images(dataset)
    else:
        folder = find_folder(spec, TRAINING_FILES[dataset], data_dir)
        everything = read_images(folder, spec, TRAINING_FILES[dataset])

    order = stratified_order(everything.labels, SPLIT_SEED)
    valid_rows, train_rows = np.split(order, [round(VALID_FRACTION * len(order))])
    # A new order, so that a prefix of the remaining rows is in proportion as well.
    train_rows = train_rows[stratified_order(everything.labels[train_rows], SPLIT_SEED)]
    kept = len(train_rows) if train_size is None else train_size
    if not len(spec.classes) <= kept <= len(train_rows):
        raise DataError(
            f"Train size {train_size} is out of range.\nGive {len(spec.classes)} to "
            f"{len(train_rows):,} for {spec.title}{' (mini)' if mini else ''}."
        )
    source = "mini" if mini else "real"
    return TrainingData(
        spec=replace(spec, classes=stand_in.CLASSES[dataset]) if mini else spec,
        source="mini" if mini else "real",
        train=everything.take(train_rows[:kept]),
        valid=everything.take(valid_rows),
        fingerprint=_fingerprint(dataset, source, everything, valid_rows, train_rows),
        folder=None if folder is None else str(folder.absolute()),
    )


def _fingerprint(
    dataset: str,
    source: str,
    everything: LabelledImages,
    valid_rows: npt.NDArray[np.int64],
    train_rows: npt.NDArray[np.int64],
) -> str:
    """16 hex digits that change with any pixel, label or row of the split, but not with train_size.

    Two runs compare only where these agree.
    """
    digest = hashlib.sha256(f"{dataset} {source} {everything.images.shape}".encode())
    digest.update(everything.images.data)
    for numbers in (everything.labels, valid_rows, train_rows):
        # Lengths and byte order are part of the hash, so that no two splits share their bytes.
        digest.update(f" {len(numbers)} ".encode() + numbers.astype("<i8").tobytes())
    return digest.hexdigest()[:16]

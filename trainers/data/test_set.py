"""The test images: the only module that knows their files and seeds, or can make them.

Read for final numbers, by those who report them.  Nothing that trains or searches imports this
module, and `trainers.data` does not either, so a trial cannot reach a test image by any argument.
A test holds that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from trainers.data import mini as stand_in
from trainers.data.datasets import LabelledImages, TrainingData, find_spec
from trainers.data.files import DataFile, ImageFiles, find_folder, read_images
from trainers.data.formats import decode_cifar, decode_idx
from trainers.data.mini_patterns import draw_patterns
from trainers.data.own import digest_of, read_part
from trainers.data.training import CIFAR_ARCHIVE
from trainers.errors import DataError

TEST_FILES: Mapping[str, ImageFiles] = {
    "mnist": ImageFiles(
        files=(
            DataFile(
                path="MNIST/raw/t10k-images-idx3-ubyte",
                md5="2646ac647ad5339dbf082846283269ea",
                gz_md5="9fb629c4189551a2d022fa330f9573f3",
            ),
            DataFile(
                path="MNIST/raw/t10k-labels-idx1-ubyte",
                md5="27ae3e4e09519cfbb04c329615203637",
                gz_md5="ec29112dd5afa0611ce80d1b7f02629c",
            ),
        ),
        decode=decode_idx,
    ),
    "cifar": ImageFiles(
        files=(
            DataFile(
                path="cifar-10-batches-py/test_batch",
                md5="40351d587109b95175f43aff81a1287e",
                archive=CIFAR_ARCHIVE,
            ),
        ),
        decode=decode_cifar,
    ),
}

_PATTERNS_SEED = 10_000
_PATTERNS_TEST = 1_000


def load_test_of(data: TrainingData, data_dir: str | Path | None = None) -> LabelledImages:
    """The test images that belong to these training images; see `load_test`.

    Raises DataError where they are not the ones that were split off.
    """
    if data.source != "own":
        return load_test(data.dataset, data_dir=data_dir, mini=data.source == "mini")
    assert data.folder is not None
    folder = Path(data.folder)
    images = read_part(folder, "test")
    if digest_of(images) != json.loads((folder / "images.json").read_bytes())["test"]:
        raise DataError(
            f"the test images in {folder} are damaged\nremove this folder and run again"
        )
    return images


def load_test(
    dataset: str, *, data_dir: str | Path | None = None, mini: bool = False
) -> LabelledImages:
    """The official test set in its published order, or mini's: 359 digits, 1,000 patterns.

    The folder is found as load_training finds it.  Raises DataError: unknown name, files missing or
    damaged.
    """
    spec = find_spec(dataset)
    if not mini:
        folder = find_folder(spec, TEST_FILES[dataset], data_dir)
        return read_images(folder, spec, TEST_FILES[dataset])
    if data_dir is not None:
        raise DataError(
            f"Mini data has no folder, but {str(data_dir)!r} was given.\n"
            "Give either --data-dir or --data mini."
        )
    if dataset == "mnist":
        everything = stand_in.digits()
        seen = stand_in.digit_training_rows(everything.labels)
        return everything.take(np.setdiff1d(np.arange(len(everything)), seen))
    return draw_patterns(_PATTERNS_TEST, seed=_PATTERNS_SEED)

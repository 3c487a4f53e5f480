"""Finds the images that a user names: a folder of files, arrays in one file, torchvision's sets."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from trainers.data.files import DOWNLOADS, SEARCHED
from trainers.errors import DataError
from trainers.torchvision_import import import_torchvision

Array = npt.NDArray[Any]
KINDS = ("folder", "npz", "torchvision")
LARGEST = 50_000_000  # pixels of a picture; more are taken for a decompression bomb
TORCHVISION = {  # name -> whether a mirrored image is of the same class
    "FashionMNIST": True,
    "KMNIST": False,
    "SVHN": False,
    "CIFAR100": True,
}


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Images as they were found, not decoded.

    Attributes:
        items: files, or arrays (H, W) or (H, W, C).
        labels: (N,) int64; None where there are none.
        classes: the name of each label.
        test: (N,) bool: which of them are the data's own test images; None where it has none.
        state: what changes when one of them does.
    """

    items: Sequence[Path | Array]
    labels: npt.NDArray[np.int64] | None
    classes: tuple[str, ...] = ()
    test: npt.NDArray[np.bool_] | None = None
    state: str = ""


def find(kind: str, where: str, data_dir: str | None) -> Pictures:
    """The images of `folder:DIR`, `npz:FILE` or `torchvision:NAME`.

    Raises:
        DataError: they are not there, or are no images with labels.
    """
    if kind == "torchvision":
        return _torchvision(where, data_dir)
    path = Path(where).expanduser()
    if not (path.is_dir() if kind == "folder" else path.is_file()):
        raise DataError(
            f"--data {kind}:{where}: there is no such {'folder' * (kind == 'folder')}"
            f"{'file' * (kind == 'npz')}\nname one that is there"
        )
    return _folder(path) if kind == "folder" else _npz(path)


# A folder ----------------------------------------------------------------------------------------


def _folder(root: Path) -> Pictures:
    """`CLASS/*.png`, or with parts `train/CLASS/*` and `test/CLASS/*`, or files alone."""
    parts = {path.name: path for path in _folders(root)}
    if "train" in parts and parts.keys() <= {"train", "val", "valid", "test"}:
        seen = [parts[name] for name in ("train", "val", "valid") if name in parts]
        held_out = [parts["test"]] if "test" in parts else []
    else:
        seen, held_out = [root], []
    classes = sorted({path.name for part in seen for path in _folders(part)})
    suffixes = {e for e, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    items: list[Path] = []
    labels: list[int] = []
    test: list[bool] = []
    for part in (*seen, *held_out):
        unknown = {path.name for path in _folders(part)} - set(classes)
        if unknown:
            raise DataError(f"{part} has a class {min(unknown)!r} that the training images lack")
        for label, folder in enumerate([part / name for name in classes] or [part]):
            files = folder.rglob("*") if classes else folder.glob("*")
            found = sorted(p for p in files if p.suffix.lower() in suffixes and p.is_file())
            items += [_inside(path, root) for path in found]
            labels += [label] * len(found)
            test += [part in held_out] * len(found)
    if not items:
        raise DataError(
            f"there is no image in {root}\n"
            "put them into a folder a class, or straight into it where they have no labels"
        )
    stats = [path.stat() for path in items]
    return Pictures(
        items=items,
        labels=np.array(labels, dtype=np.int64) if classes else None,
        classes=tuple(classes),
        test=np.array(test) if held_out else None,
        state=repr([(str(p), s.st_size, s.st_mtime_ns) for p, s in zip(items, stats, strict=True)]),
    )


def _folders(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir() and entry.name[0] != "."]


def _inside(path: Path, root: Path) -> Path:
    if not path.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{path} is a link that leaves {root}\ncopy the image into the folder")
    return path


# Arrays ------------------------------------------------------------------------------------------


def _npz(file: Path) -> Pictures:
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{file} is no npz file of plain arrays: {str(error).splitlines()[0][:200]}\n"
            "write it with numpy.savez(FILE, images=..., labels=...)"
        ) from None
    if "images" not in arrays:
        raise DataError(f"{file} has no array `images`; it has: {', '.join(arrays) or 'none'}")
    train = _as_pictures(arrays["images"], file, "images")
    labels = _labels(arrays.get("labels"), len(train), file, "labels")
    items, test = [*train], None
    if "test_images" in arrays:
        held_out = _as_pictures(arrays["test_images"], file, "test_images")
        more = _labels(arrays.get("test_labels"), len(held_out), file, "test_labels")
        if (labels is None) != (more is None):
            raise DataError(f"{file} has labels for one of `images` and `test_images` only")
        items += held_out
        test = np.arange(len(items)) >= len(train)
        labels = None if labels is None or more is None else np.concatenate([labels, more])
    classes: tuple[str, ...] = ()
    if labels is not None:
        classes = tuple(map(str, arrays.get("classes", np.unique(labels))))
        if set(labels.tolist()) != set(range(len(classes))):
            raise DataError(
                f"{file}: labels are {_shown(np.unique(labels))}, not 0 .. {len(classes) - 1}\n"
                "number the classes from 0 without a gap"
            )
    stat = file.stat()
    state = repr((stat.st_size, stat.st_mtime_ns))
    return Pictures(items=items, labels=labels, classes=classes, test=test, state=state)


def _shown(values: Array) -> str:
    return ", ".join(map(str, values[:8])) + " ..." * (len(values) > 8)


def _as_pictures(images: Array, file: Path, name: str) -> Array:
    """(N, H, W) or (N, H, W, C), from these or from (N, C, H, W)."""
    if images.dtype != np.uint8:
        raise DataError(
            f"{file}: `{name}` is {images.dtype}, not uint8\n"
            "scale pixels to 0 .. 255 and round them"
        )
    if images.ndim == 4 and images.shape[-1] not in (1, 3) and images.shape[1] in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if not len(images) or not (images.ndim == 3 or (images.ndim == 4 and images.shape[-1] == 3)):
        raise DataError(
            f"{file}: `{name}` has the shape {images.shape}\n"
            "give (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels"
        )
    return images


def _labels(labels: Array | None, count: int, file: Path, name: str) -> Array | None:
    if labels is None:
        return None
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"{file}: `{name}` is {labels.dtype} {labels.shape}\ngive ({count},) whole numbers"
        )
    return labels.astype(np.int64)


# torchvision -------------------------------------------------------------------------------------


def _torchvision(name: str, data_dir: str | None) -> Pictures:
    if name not in TORCHVISION:
        known = ", ".join(TORCHVISION)
        raise DataError(f"--data torchvision:{name}: there is no such set here\nthere are: {known}")
    named = data_dir or os.environ.get("DATA_DIR")
    roots = [Path(named)] if named else SEARCHED
    last: Exception | None = None
    for root, download in [*((root, False) for root in roots), *[(DOWNLOADS, True)] * (not named)]:
        try:
            train, test = (_part(name, root, part, download) for part in ("train", "test"))
        except (OSError, RuntimeError) as error:  # it is not there
            last = error
            continue
        items = [*train[0], *test[0]]
        return Pictures(
            items=items,
            labels=np.concatenate([train[1], test[1]]),
            classes=train[2] or tuple(map(str, np.unique(train[1]))),
            test=np.arange(len(items)) >= len(train[0]),
            state=str(root.absolute()),
        )
    places = ", ".join(map(str, roots))
    raise DataError(
        f"{name} is not in {places}: {str(last).splitlines()[-1][:200]}\n"
        "give the folder that holds torchvision's files with --data-dir"
    )


def _part(name: str, root: Path, part: str, download: bool) -> tuple[Array, Array, tuple[str, ...]]:
    made: Callable[..., Any] = getattr(import_torchvision().datasets, name)
    choice = {"split": part} if name == "SVHN" else {"train": part == "train"}
    found = made(root, download=download, **choice)
    labels = np.asarray(found.labels if name == "SVHN" else found.targets, dtype=np.int64)
    images = _as_pictures(np.asarray(found.data), root, name)
    return images, labels, tuple(getattr(found, "classes", ()))


# Decoding ----------------------------------------------------------------------------------------


def look(item: Path | Array) -> tuple[int, int, bool]:
    """(width, height, whether it is grey) of an image, which is not decoded.

    Raises:
        OSError, ValueError: it is none that can be read.
    """
    if isinstance(item, np.ndarray):
        return item.shape[1], item.shape[0], item.ndim == 2
    with Image.open(item) as image:
        _check(image)
        return *image.size, image.mode in ("1", "L", "LA", "I;16")


def decode(item: Path | Array, *, channels: int, size: int) -> npt.NDArray[np.uint8]:
    """(C, S, S) of an image: its middle square, scaled.

    Raises:
        OSError, ValueError: it is none that can be read.
    """
    if isinstance(item, Path):
        with Image.open(item) as image:
            _check(image)
            image.draft(None, (2 * size, 2 * size))  # a large JPEG is decoded smaller
            picture = ImageOps.exif_transpose(image)
        if picture.mode == "I;16":
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif item.shape[:2] == (size, size) and (3 if item.ndim == 3 else 1) == channels:
        return np.ascontiguousarray(item.reshape(size, size, channels).transpose(2, 0, 1))
    else:
        picture = Image.fromarray(item)
    picture = picture.convert("L" if channels == 1 else "RGB")
    if picture.size != (size, size):
        picture = ImageOps.fit(picture, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(picture).reshape(size, size, channels).transpose(2, 0, 1)


def _check(image: Image.Image) -> None:
    width, height = image.size
    if width * height > LARGEST:
        raise ValueError(f"{width} x {height} pixels are more than {LARGEST:,}")
    if image.mode in ("I", "F"):
        raise ValueError(f"its pixels are of another type ({image.mode}) than 0 .. 255")

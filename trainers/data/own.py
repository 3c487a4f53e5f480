"""A user's own images: decoded once into a folder of arrays, which is opened page by page.

The rows are put into an order that follows from pixels and labels alone before they are split, so
that the same images give the same split from a folder and from arrays, whatever their files' names.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from trainers.data import pictures
from trainers.data.datasets import DatasetSpec, LabelledImages, TrainingData
from trainers.data.pictures import Pictures
from trainers.data.split import stratified_order
from trainers.data.staging import staging
from trainers.data.training import SPLIT_SEED, VALID_FRACTION
from trainers.errors import DataError

VERSION = 1  # of the folder of arrays
TEST_FRACTION = 0.2  # held out where the data has no test images of its own
LARGEST_SIDE = 64  # images that are all alike keep their size up to this one
SIDE = 32  # else
FEWEST = 3  # images of a class
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
NAME = re.compile(r"[^A-Za-z0-9._-]+")
TAKEN = ("real", "mini")  # names of built-in data

Rows = npt.NDArray[np.int64]
Track = Callable[[Iterable[Any], int], Iterable[Any]]


@dataclass(frozen=True, kw_only=True)
class Own:
    """A user's own images, as the command names them.

    Attributes:
        kind, where: `folder`, `npz` or `torchvision`; its folder, file or name.
        size: height and width that the images are scaled to; None to choose by them.
        flips: whether a mirrored image is still of its class; None to choose by the data.
        skip: whether unreadable images are left out.
        data_dir: folder of torchvision's files.
    """

    kind: str
    where: str
    size: int | None = None
    flips: bool | None = None
    skip: bool = False
    data_dir: str | None = None

    @classmethod
    def parse(cls, text: str, **settings: Any) -> Own:
        """From `folder:DIR`, `npz:FILE` or `torchvision:NAME`.

        Raises:
            DataError: it is none of them.
        """
        kind, colon, where = text.partition(":")
        if kind not in pictures.KINDS or not colon or not where:
            raise DataError(
                f"--data {text}: expected mini, folder:DIR, npz:FILE or torchvision:NAME", status=2
            )
        return cls(kind=kind, where=where, **settings)

    @property
    def name(self) -> str:
        """What the data is called: the folder's, the file's or the set's name."""
        path = Path(self.where).expanduser().absolute()
        name = path.stem if self.kind == "npz" else path.name
        name = NAME.sub("-", self.where if self.kind == "torchvision" else name).strip("-.")
        return name if name and name not in TAKEN else f"{name}-images".strip("-")


def load_own(
    own: Own,
    *,
    cache: Path,
    train_size: int | None = None,
    track: Track = lambda items, _: items,
) -> TrainingData:
    """Train and validation images, the same at every call while their files stay as they are.

    Args:
        cache: folder in which the arrays are kept.
        train_size: keep so many of the train images, classes in proportion.
        track: shows how far the decoding has come; is given what to go through, and its length.

    Raises:
        DataError: missing, unreadable or unsuitable images; nothing is left behind then.
    """
    found = pictures.find(own.kind, own.where, own.data_dir)
    key = [VERSION, own.kind, str(Path(own.where).absolute()), own.size, own.skip, found.state]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    folder = cache / f"{own.name}-{digest}"
    if not (folder / "images.json").exists():
        _make(own, found, folder, track)
    known = json.loads((folder / "images.json").read_bytes())
    train, valid = (read_part(folder, part) for part in ("train", "valid"))
    classes = tuple(known["classes"])
    if own_fingerprint(train, valid, known["test"]) != known["fingerprint"]:
        shutil.rmtree(folder)
        raise DataError(f"the arrays in {folder} were damaged and are removed\nrun again")
    kept = len(train) if train_size is None else train_size
    if not max(1, len(classes)) <= kept <= len(train):
        raise DataError(
            f"Train size {train_size} is out of range.\n"
            f"Give {max(1, len(classes))} to {len(train):,} for {own.name}."
        )
    flips = own.flips
    if flips is None:
        flips = pictures.TORCHVISION.get(own.where, True)
    return TrainingData(
        spec=DatasetSpec(
            name=own.name,
            title=own.name,
            channels=known["channels"],
            size=known["size"],
            classes=classes,
            flips=flips,
        ),
        source="own",
        train=LabelledImages(train.images[:kept], train.labels[:kept]),
        valid=valid,
        # Whoever trained with other views cannot go on, be measured or replayed as if with these.
        fingerprint=hashlib.sha256(f"{known['fingerprint']} {flips}".encode()).hexdigest()[:16],
        folder=str(folder.absolute()),
    )


def read_part(folder: Path, part: str) -> LabelledImages:
    """One part of the split, page by page as it is needed.

    Raises:
        DataError: a file of it is missing or cut.
    """
    try:
        images = np.load(folder / f"{part}_images.npy", mmap_mode="r")
        labels = np.load(folder / f"{part}_labels.npy")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{folder}: {error}\nremove this folder and run again") from None
    return LabelledImages(np.asarray(images), labels)  # pickled as any other array is


def own_fingerprint(train: LabelledImages, valid: LabelledImages, test: str) -> str:
    """16 hex digits over all images and labels, and the split."""
    return hashlib.sha256(f"{digest_of(train)} {digest_of(valid)} {test}".encode()).hexdigest()[:16]


def digest_of(images: LabelledImages) -> str:
    """Of pixels and labels, in their order."""
    total = hashlib.sha256(f"{images.images.shape} ".encode())
    total.update(images.images.data)
    total.update(images.labels.astype("<i8").tobytes())
    return total.hexdigest()


# The folder of arrays is made --------------------------------------------------------------------


def _make(own: Own, found: Pictures, folder: Path, track: Track) -> None:
    """Decode all, split, and put the whole folder there by one rename."""
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    _check_classes(found.labels, found.classes)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with staging(folder.parent, ".decoding-") as beside:
        partial = beside / "arrays"
        partial.mkdir()
        decoded, rows, described = _decoded(own, found, beside, track)
        labels = np.zeros(len(found.items), np.int64) if found.labels is None else found.labels
        if len(rows) < len(found.items):
            _check_classes(None if found.labels is None else labels[rows], found.classes)
        ordered = _canonical(decoded, labels, rows)
        for part, chosen in _split(ordered, labels, found.test).items():
            shape = (len(chosen), *decoded.shape[1:])
            target = np.lib.format.open_memmap(
                partial / f"{part}_images.npy", mode="w+", dtype=np.uint8, shape=shape
            )
            for start in range(0, len(chosen), 1000):
                target[start : start + 1000] = decoded[chosen[start : start + 1000]]
            target.flush()
            np.save(partial / f"{part}_labels.npy", labels[chosen])
        train, valid, test = (read_part(partial, part) for part in ("train", "valid", "test"))
        described["test"] = digest_of(test)
        described["fingerprint"] = own_fingerprint(train, valid, described["test"])
        (partial / "images.json").write_text(json.dumps(described), encoding="utf-8")
        try:
            partial.rename(folder)
        except OSError:
            if not (folder / "images.json").exists():  # another search made it meanwhile
                raise


def _check_classes(labels: Rows | None, classes: Sequence[str]) -> None:
    if labels is None:
        return
    if len(classes) < 2:
        raise DataError(
            f"there is one class only: {classes[0]}\n"
            "add another, or give the images without labels, straight in a folder"
        )
    counts = Counter(labels.tolist())
    few = [f"{name} ({counts[n]})" for n, name in enumerate(classes) if counts[n] < FEWEST]
    if few:
        raise DataError(
            f"a class needs at least {FEWEST} images: {', '.join(few[:5])}\nadd some, or remove it"
        )


def _decoded(
    own: Own, found: Pictures, folder: Path, track: Track
) -> tuple[np.ndarray, Rows, dict[str, Any]]:
    """(images (N, C, S, S) on disk, rows that could be read, what is known of them)."""
    unreadable: dict[int, str] = {}

    def reading(function: Callable[[Any], Any]) -> Iterator[tuple[int, Any]]:
        """(row, result) of every item that could be read so far."""

        def attempt(row: int) -> Any:
            try:
                return function(found.items[row])
            except UNREADABLE as error:
                return error

        rows = [row for row in range(len(found.items)) if row not in unreadable]
        with ThreadPoolExecutor() as pool:
            for row, result in zip(rows, pool.map(attempt, rows), strict=True):
                if isinstance(result, Exception):
                    unreadable[row] = (str(result).splitlines() or [type(result).__name__])[0]
                else:
                    yield row, result

    seen = [facts for _, facts in reading(pictures.look)]
    sides = {side for width, height, _ in seen for side in (width, height)}
    alike = len(sides) == 1 and max(sides) <= LARGEST_SIDE
    size = own.size or (sides.pop() if alike else SIDE)
    channels = 1 if seen and all(grey for *_, grey in seen) else 3
    decoded = np.lib.format.open_memmap(
        folder / "decoded.npy",
        mode="w+",
        dtype=np.uint8,
        shape=(len(found.items), channels, size, size),
    )
    read = []
    images = reading(lambda item: pictures.decode(item, channels=channels, size=size))
    for row, image in track(images, len(found.items) - len(unreadable)):
        decoded[row] = image
        read.append(row)
    if unreadable and not own.skip:
        row = min(unreadable)
        raise DataError(
            f"{len(unreadable)} of {len(found.items):,} images cannot be read; the first: "
            f"{_named(found.items[row], row)}: {unreadable[row][:200]}\n"
            "mend or remove them, or leave them out with --skip-unreadable"
        )
    if not read:
        raise DataError(f"no image of {own.where} can be read")
    described = {
        "channels": channels,
        "size": size,
        "classes": found.classes,
        "left_out": len(unreadable),
    }
    return decoded, np.array(read, dtype=np.int64), described


def _named(item: Path | np.ndarray, row: int) -> str:
    return str(item) if isinstance(item, Path) else f"image {row}"


def _canonical(decoded: np.ndarray, labels: Rows, rows: Rows) -> Rows:
    """The rows in an order that follows from what they hold."""
    keys = [(int(labels[row]), hashlib.sha256(decoded[row].data).digest()) for row in rows]
    return rows[sorted(range(len(rows)), key=keys.__getitem__)]


def _split(rows: Rows, labels: Rows, test: npt.NDArray[np.bool_] | None) -> dict[str, Rows]:
    """Rows of each part, classes in proportion in each and in every prefix of `train`."""

    def shuffled(rows: Rows) -> Rows:
        return rows[stratified_order(labels[rows], SPLIT_SEED)]

    if test is None:
        seen, held_out = _cut(shuffled(rows), TEST_FRACTION)
    else:
        seen, held_out = rows[~test[rows]], rows[test[rows]]
    train, valid = _cut(shuffled(seen), VALID_FRACTION)
    return {"train": shuffled(train), "valid": valid, "test": held_out}


def _cut(rows: Rows, share: float) -> tuple[Rows, Rows]:
    """(the others, the first of them)."""
    count = max(1, round(share * len(rows)))
    return rows[count:], rows[:count]

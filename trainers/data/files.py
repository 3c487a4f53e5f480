"""Finds the folder that holds a data set, and reads its files where they lie.

The layouts are torchvision's own, packed or unpacked.  Nothing is written: packed files are read in
memory, so a read-only folder serves.  Which files make up a training set stands in training.py,
which make up a test set in test_set.py alone; this module reads what it is told to.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trainers.data.datasets import DatasetSpec, LabelledImages
from trainers.data.download import download
from trainers.errors import DataError

SEARCHED = (Path("data"), Path("/datasets/cv_datasets/data"))  # when no folder is named, in order
DOWNLOADS = Path("data")  # one of SEARCHED, so that a download is found the next time


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A tar file in which several data files may lie packed."""

    path: str  # relative to the data folder
    md5: str


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One published file, with the checksum of each form in which it may be present."""

    path: str  # of the unpacked file relative to the data folder; also its name within an archive
    md5: str  # of the unpacked bytes
    gz_md5: str | None = None  # of `<path>.gz`, where that form is published
    archive: Archive | None = None


@dataclass(frozen=True, kw_only=True)
class ImageFiles:
    """The files of one set of labelled images, and how their bytes become arrays."""

    files: tuple[DataFile, ...]
    decode: Callable[[Iterator[bytes]], LabelledImages]


def find_folder(spec: DatasetSpec, wanted: ImageFiles, data_dir: str | Path | None) -> Path:
    """The folder that holds the wanted files, unread as yet.

    `data_dir`, else the environment's DATA_DIR, is taken at its word: files that are not there
    are an error.  Without either, the first of SEARCHED that holds the files, else a download.
    Raises DataError.
    """
    named = data_dir if data_dir is not None else os.environ.get("DATA_DIR") or None
    if named is not None:
        origin = "" if data_dir is not None else " (from DATA_DIR)"
        try:
            folder = Path(named).expanduser()
        except RuntimeError as error:  # nobody of this name
            raise DataError(f"Data folder {str(named)!r}{origin}: {error}.") from None
        missing = _missing_file(folder, wanted)
        if missing is not None:
            raise DataError(_describe_missing(spec, folder, origin, missing, wanted))
        return folder
    for folder in SEARCHED:
        if _holds(folder, wanted):
            return folder
    download(spec, DOWNLOADS, searched=SEARCHED)
    missing = _missing_file(DOWNLOADS, wanted)
    if missing is not None:
        raise DataError(_describe_missing(spec, DOWNLOADS, " after a download", missing, wanted))
    return DOWNLOADS


def read_images(folder: Path, spec: DatasetSpec, wanted: ImageFiles) -> LabelledImages:
    """Every wanted file, verified as it is read.  Raises DataError naming a damaged one."""
    images = wanted.decode(_verified_contents(folder, wanted.files))
    shape = (spec.channels, spec.size, spec.size)
    if images.images.shape[1:] != shape:
        raise DataError(
            f"{spec.title} in {folder} has images of {images.images.shape[1:]}, not {shape}"
        )
    return images


def _verified_contents(folder: Path, files: tuple[DataFile, ...]) -> Iterator[bytes]:
    """The unpacked bytes of each file, in order; those of an archive are all held until asked for.

    The function uses or refuses a form that exists: it does not hide damage in an unpacked file
    behind the packed one beside it, since something went wrong on that disk.
    """
    packed: dict[Archive, dict[str, bytes]] = {}
    for file in files:
        unpacked, zipped = folder / file.path, folder / f"{file.path}.gz"
        if _is_file(unpacked):
            source, content = unpacked, _read(unpacked)
        elif file.gz_md5 is not None and _is_file(zipped):
            source = zipped
            try:
                content = gzip.decompress(_checked(_read(zipped), file.gz_md5, zipped))
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise _damaged(zipped, str(error)) from error
        elif file.archive is not None:
            source = folder / file.archive.path
            if file.archive not in packed:
                packed[file.archive] = _read_archive(source, file.archive, files)
            if file.path not in packed[file.archive]:
                raise _damaged(source, f"{file.path} is not in it")
            content = packed[file.archive].pop(file.path)
        else:
            raise DataError(f"{unpacked} is not there any more: it was when the search began")
        yield _checked(content, file.md5, source)


def _read_archive(path: Path, archive: Archive, files: tuple[DataFile, ...]) -> dict[str, bytes]:
    wanted = {file.path for file in files if file.archive == archive}
    contents: dict[str, bytes] = {}
    try:
        with path.open("rb") as stream:
            digest = hashlib.md5(usedforsecurity=False)
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
            if digest.hexdigest() != archive.md5:
                raise _damaged(path, f"its MD5 is {digest.hexdigest()}, not {archive.md5}")
            stream.seek(0)
            # Members are taken as they come: seeking in a compressed archive reads it again.
            with tarfile.open(fileobj=stream, mode="r|gz") as tar:
                for member in tar:
                    content = tar.extractfile(member) if member.name in wanted else None
                    if content is not None:
                        contents[member.name] = content.read()
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    return contents


def _missing_file(folder: Path, wanted: ImageFiles) -> DataFile | None:
    """The first wanted file that is there in no form.  Raises DataError where it cannot look."""
    for file in wanted.files:
        forms = [folder / file.path]
        if file.gz_md5 is not None:
            forms.append(folder / f"{file.path}.gz")
        if file.archive is not None:
            forms.append(folder / file.archive.path)
        if not any(_is_file(form) for form in forms):
            return file
    return None


def _holds(folder: Path, wanted: ImageFiles) -> bool:
    try:
        return _missing_file(folder, wanted) is None
    except DataError:  # unreadable, so of no use: another folder may do
        return False


def _describe_missing(
    spec: DatasetSpec, folder: Path, origin: str, missing: DataFile, wanted: ImageFiles
) -> str:
    if not folder.exists():
        problem = f"The data folder {folder}{origin} does not exist."
    elif not folder.is_dir():
        problem = f"The data folder {folder}{origin} is a file, not a folder."
    else:
        other = f" (nor {missing.path}.gz)" if missing.gz_md5 is not None else ""
        if missing.archive is not None:
            other = f" (nor {missing.archive.path})"
        problem = f"{spec.title} is not in {folder}{origin}: {missing.path}{other} is missing."
    for parent in list(folder.absolute().parents)[:2]:  # named one or two levels too deep
        if _holds(parent, wanted):
            return f"{problem}\n{parent} holds it: give that folder."
    top = missing.path.partition("/")[0]
    return (
        f"{problem}\nGive the folder that holds {top}/ with --data-dir or DATA_DIR, "
        "or use --data mini."
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # no permission to look
        raise _unreadable(path, error) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _checked(content: bytes, md5: str, source: Path) -> bytes:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if digest != md5:
        raise _damaged(source, f"its MD5 is {digest}, not {md5} ({len(content):,} bytes)")
    return content


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"{path} is damaged or incomplete: {reason}.\nDelete it and download it again, "
        "or copy it from a good source."
    )


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(
        f"{path} cannot be read: {error.strerror or error}.\n"
        "Fix its permissions, give another folder with --data-dir or DATA_DIR, "
        "or use --data mini."
    )

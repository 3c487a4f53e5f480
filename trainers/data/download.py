"""Fetches a data set through torchvision, for machines on which it lies nowhere.

The download goes into a folder of its own and is moved into place when torchvision has verified it,
so that an interrupted one leaves nothing that could be taken for data.
"""

from __future__ import annotations

import http.client
import socket
import tarfile
from collections.abc import Sequence
from pathlib import Path

from trainers.data.datasets import DatasetSpec
from trainers.data.staging import staging
from trainers.errors import DataError
from trainers.torchvision_import import import_torchvision

CLASSES = {"mnist": "MNIST", "cifar": "CIFAR10"}  # of torchvision.datasets
_STALL_SECONDS = 30.0  # torchvision sets no limit: behind a silent firewall it would wait for ever


def download(spec: DatasetSpec, folder: Path, *, searched: Sequence[Path]) -> None:
    """Puts the data set's files, unpacked, into `folder`, with torchvision's progress bar.

    `searched` are the folders that did not hold it, for the message.  Raises DataError of two lines
    where the download fails; `folder` then holds what it held before.
    """
    places = ", ".join(_display(place) for place in searched)
    try:
        existed = folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with staging(folder, f".{spec.name}-download-") as beside:
                _fetch(spec, beside)
                _move_files(beside, folder)
        finally:
            if not existed and not any(folder.iterdir()):
                folder.rmdir()
    except (OSError, RuntimeError, ImportError, http.client.HTTPException, tarfile.TarError) as err:
        raise DataError(
            f"{spec.title} is in none of {places}, and downloading it into {_display(folder)} "
            f"failed: {_last_line(err)}\n"
            "Give the folder that holds it with --data-dir or DATA_DIR, "
            "or use --data mini, which needs no files."
        ) from err


def _fetch(spec: DatasetSpec, folder: Path) -> None:
    """torchvision's own download: mirrors, progress bar, MD5 and unpacking are its business."""
    dataset = getattr(import_torchvision().datasets, CLASSES[spec.name])
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALL_SECONDS)
    try:
        dataset(folder, download=True)
    finally:
        socket.setdefaulttimeout(before)


def _move_files(beside: Path, folder: Path) -> None:
    """Each unpacked file by one rename, which another process sees done or not at all."""
    for file in sorted(path for path in beside.rglob("*") if path.is_file()):
        if (
            file.suffix == ".gz"
        ):  # the packed form of what lies beside it: half the disk for nothing
            continue
        target = folder / file.relative_to(beside)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)


def _display(path: Path) -> str:
    return str(path) if path.is_absolute() else f"./{path}"


def _last_line(error: BaseException) -> str:
    """torchvision lists every mirror it tried; the last line says why the last one failed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

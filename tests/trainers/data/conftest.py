"""Tiny data sets in the published layouts, with checksums of their own.

The published checksums admit no synthetic file, so the tables of files are replaced by tables that
describe the tiny ones; the code that finds, verifies, decodes and splits is the real one.  Where
the real data lies beside the repository (or LATENT_SEARCH_REAL_DATA names it), a test may read it.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainers.data import files, training
from trainers.data.files import DataFile, ImageFiles

COUNT = 200  # images of each tiny set


class TinyData:
    """A folder with one tiny data set; `kind` is the layout in which it lies."""

    def __init__(self, folder: Path, dataset: str, kind: str) -> None:
        self.folder, self.dataset, self.kind = folder, dataset, kind
        random = np.random.default_rng(7)
        channels, size = (1, 28) if dataset == "mnist" else (3, 32)
        self.images = random.integers(0, 256, (COUNT, channels, size, size), dtype=np.uint8)
        self.labels = np.arange(COUNT) % 10
        contents = self._idx() if dataset == "mnist" else self._batches()
        self.written = [self._write(name, content, kind) for name, content in contents.items()]
        if kind == "tar":
            self.written = [self._write_tar(contents)]
        self.files = ImageFiles(
            files=tuple(
                DataFile(
                    path=name,
                    md5=md5(content),
                    gz_md5=md5(gzip.compress(content, mtime=0)) if dataset == "mnist" else None,
                    archive=files.Archive(
                        path="cifar-10-python.tar.gz",
                        md5=md5(self.written[0].read_bytes()) if kind == "tar" else "0" * 32,
                    )
                    if dataset == "cifar"
                    else None,
                )
                for name, content in contents.items()
            ),
            decode=training.TRAINING_FILES[dataset].decode,
        )

    def _idx(self) -> dict[str, bytes]:
        raw = "MNIST/raw/train-"
        return {
            f"{raw}images-idx3-ubyte": struct.pack(">4I", 2051, COUNT, 28, 28)
            + self.images.tobytes(),
            f"{raw}labels-idx1-ubyte": struct.pack(">2I", 2049, COUNT)
            + self.labels.astype(np.uint8).tobytes(),
        }

    def _batches(self) -> dict[str, bytes]:
        parts = zip(np.split(self.images, 5), np.split(self.labels, 5), strict=True)
        return {
            f"cifar-10-batches-py/data_batch_{number}": pickle.dumps(
                {b"data": images.reshape(len(images), -1), b"labels": labels.tolist()}
            )
            for number, (images, labels) in enumerate(parts, start=1)
        }

    def _write(self, name: str, content: bytes, kind: str) -> Path:
        path = self.folder / (f"{name}.gz" if kind == "gz" else name)
        if kind != "tar":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(content, mtime=0) if kind == "gz" else content)
        return path

    def _write_tar(self, contents: dict[str, bytes]) -> Path:
        path = self.folder / "cifar-10-python.tar.gz"
        self.folder.mkdir(parents=True, exist_ok=True)
        loose = self.folder.parent / "loose"
        with tarfile.open(path, "w:gz") as tar:
            for name, content in reversed(contents.items()):  # not in the order they are wanted
                loose.write_bytes(content)
                tar.add(loose, arcname=name)
        loose.unlink()
        return path

    def change_checksums(self) -> None:
        """Describe the files as they now lie, as though they had been published so."""
        by_name = {str(path.relative_to(self.folder)): path for path in self.written}
        self.files = replace(
            self.files,
            files=tuple(
                replace(file, md5=md5(by_name[file.path].read_bytes())) for file in self.files.files
            ),
        )


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


LAYOUTS = [("mnist", "unpacked"), ("mnist", "gz"), ("cifar", "unpacked"), ("cifar", "tar")]


@pytest.fixture(autouse=True)
def _no_data_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of the machine is searched and nothing is downloaded unless a test says so."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a download was tried")

    monkeypatch.delenv("DATA_DIR", raising=False)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setattr(files, "SEARCHED", (Path("data"), tmp_path / "cluster"))
    monkeypatch.setattr(files, "download", refuse)


def use(tiny: TinyData, monkeypatch: pytest.MonkeyPatch) -> TinyData:
    monkeypatch.setitem(training.TRAINING_FILES, tiny.dataset, tiny.files)
    return tiny


@pytest.fixture(params=LAYOUTS, ids=lambda layout: "-".join(layout))
def tiny(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> TinyData:
    """A tiny data set in each layout in turn, in a folder that no search finds."""
    return use(TinyData(tmp_path / "given", *request.param), monkeypatch)


@pytest.fixture
def tiny_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyData:
    return use(TinyData(tmp_path / "given", "mnist", "unpacked"), monkeypatch)


@pytest.fixture
def real_folder() -> Path | None:
    """The folder of the real data, where there is one."""
    beside = Path(__file__).parents[4] / "shared" / "data"
    named = os.environ.get("LATENT_SEARCH_REAL_DATA")
    folder = Path(named) if named else beside
    return folder if folder.is_dir() else None

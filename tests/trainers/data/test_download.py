"""A download that fails leaves nothing behind; one that succeeds is found the next time."""

from __future__ import annotations

import shutil
import urllib.error
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import commands
from trainers.data import DataError, download as download_module, files, load_training


def torchvision_that(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """torchvision whose MNIST does `act(folder)` in place of a download."""
    stand_in = SimpleNamespace(datasets=SimpleNamespace(MNIST=lambda folder, download: act(folder)))
    monkeypatch.setattr(files, "download", download_module.download)
    monkeypatch.setattr(download_module, "import_torchvision", lambda: stand_in)


@pytest.mark.parametrize("there_before", [False, True])
def test_without_a_network_the_error_is_two_lines_and_nothing_is_left(
    there_before: bool, tmp_path: Path, tiny_mnist: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half_a_file_then_no_network(folder: Path) -> None:
        raw = folder / "MNIST/raw"
        raw.mkdir(parents=True)
        (raw / "train-images-idx3-ubyte.gz").write_bytes(b"half")
        reason = urllib.error.URLError("Temporary failure in name resolution")
        raise RuntimeError(f"Error downloading x:\nTried https://a/, got:\n{reason}\n")

    torchvision_that(monkeypatch, half_a_file_then_no_network)
    data = tmp_path / "cwd/data"
    if there_before:
        data.mkdir()
        (data / "note.txt").write_text("the user's own")
    with pytest.raises(DataError) as error:
        load_training("mnist")
    problem, mending = str(error.value).splitlines()
    assert f"none of ./data, {tmp_path / 'cluster'}" in problem
    assert "Temporary failure in name resolution" in problem
    assert "DATA_DIR" in mending
    assert "--data mini" in mending
    left = [path.name for path in data.rglob("*")] if data.exists() else []
    assert left == (["note.txt"] if there_before else [])


def test_after_a_failure_the_next_try_downloads_and_the_one_after_finds_it(
    tmp_path: Path, tiny_mnist: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def fail_once(folder: Path) -> None:
        attempts.append(folder)
        shutil.copytree(tiny_mnist.folder, folder, dirs_exist_ok=True)
        (folder / "MNIST/raw/train-images-idx3-ubyte.gz").write_bytes(b"packed")
        if len(attempts) == 1:
            raise ConnectionResetError("Connection reset by peer")

    torchvision_that(monkeypatch, fail_once)
    with pytest.raises(DataError, match="Connection reset"):
        load_training("mnist")
    for _ in range(2):
        assert load_training("mnist").folder == str(tmp_path / "cwd/data")
    assert len(attempts) == 2
    left = sorted(path.name for path in (tmp_path / "cwd/data").rglob("*") if path.is_file())
    assert left == ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]


@pytest.mark.slow
def test_torchvision_imports_beside_this_torch_and_has_what_a_download_needs() -> None:
    code = (
        "from trainers.torchvision_import import import_torchvision as get\n"
        "import sys; assert 'torch' not in sys.modules\n"
        "package = get(); assert get() is package\n"
        "from trainers.data.download import CLASSES\n"
        "for name in CLASSES.values(): getattr(package.datasets, name)\n"
        "import torch\n"
        "from torchvision.transforms import v2\n"
        "assert v2.RandomCrop(2)(torch.zeros(1, 4, 4)).shape == (1, 2, 2)\n"
    )
    done = commands.cold(code)
    assert done.status == 0, done.err


def test_our_tables_agree_with_torchvisions_checksums() -> None:
    from trainers.data.test_set import TEST_FILES
    from trainers.data.training import CIFAR_ARCHIVE, TRAINING_FILES
    from trainers.torchvision_import import import_torchvision

    published = import_torchvision().datasets
    ours = {
        name: [file for table in (TRAINING_FILES, TEST_FILES) for file in table[name].files]
        for name in ("mnist", "cifar")
    }
    assert [
        (Path(f.path).name + ".gz", f.gz_md5) for f in ours["mnist"]
    ] == published.MNIST.resources
    batches = published.CIFAR10.train_list + published.CIFAR10.test_list
    assert [[Path(f.path).name, f.md5] for f in ours["cifar"]] == batches
    assert (CIFAR_ARCHIVE.path, CIFAR_ARCHIVE.md5) == (
        published.CIFAR10.filename,
        published.CIFAR10.tgz_md5,
    )

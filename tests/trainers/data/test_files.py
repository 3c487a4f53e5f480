"""Files are found in every layout, read without writing, and refused when anything is amiss."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unprivileged import unprivileged
from trainers.data import DataError, load_training


def everything_under(folder: Path) -> dict[Path, tuple[int, int]]:
    return {p: (p.stat().st_mtime_ns, p.stat().st_mode) for p in [folder, *folder.rglob("*")]}


def refusal(tiny: Any) -> str:
    """What is said of a data set that cannot be loaded."""
    with pytest.raises(DataError) as error:
        load_training(tiny.dataset, data_dir=tiny.folder)
    return str(error.value)


def test_every_layout_gives_the_images_and_their_own_labels(tiny: Any) -> None:
    data = load_training(tiny.dataset, data_dir=tiny.folder)
    assert data.source == "real"
    assert data.folder == str(tiny.folder)
    images = np.concatenate([data.train.images, data.valid.images])
    labels = np.concatenate([data.train.labels, data.valid.labels])
    found = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    expected = zip(tiny.images, tiny.labels, strict=True)
    assert found == {image.tobytes(): label for image, label in expected}


def test_a_read_only_folder_serves_and_stays_as_it_was(tiny: Any) -> None:
    for path in [*tiny.folder.rglob("*"), tiny.folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = everything_under(tiny.folder)
    with unprivileged(tiny.folder.parent):
        with pytest.raises(PermissionError):
            (tiny.folder / "written").touch()
        load_training(tiny.dataset, data_dir=tiny.folder)
    assert everything_under(tiny.folder) == before


@pytest.mark.parametrize("damage", ["truncated", "one bit", "empty"])
def test_a_damaged_file_is_named_and_never_trained_on(tiny: Any, damage: str) -> None:
    path = tiny.written[-1]
    content = bytearray(path.read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 1
    else:
        content = content[: len(content) // 2 if damage == "truncated" else 0]
    path.write_bytes(content)
    problem, mending = refusal(tiny).splitlines()
    assert str(path) in problem
    assert "damaged" in problem
    assert "Delete it" in mending


@pytest.mark.parametrize("tiny", [("cifar", "unpacked"), ("cifar", "tar")], indirect=True)
def test_a_batch_is_verified_before_it_is_unpickled(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pickle.loads", lambda *_, **__: pytest.fail("unpickled"))
    tiny.written[0].write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    refusal(tiny)


def test_an_unpacked_file_goes_before_the_packed_one_beside_it(tiny_mnist: Any) -> None:
    for path in tiny_mnist.written:
        path.with_name(path.name + ".gz").write_bytes(b"not gzip")
    load_training("mnist", data_dir=tiny_mnist.folder)
    tiny_mnist.written[0].write_bytes(b"not idx")
    assert "train-images-idx3-ubyte is damaged" in refusal(tiny_mnist)


def test_a_missing_file_is_named_with_its_folder(tiny: Any) -> None:
    tiny.written[-1].unlink()
    said = refusal(tiny)
    name = {"mnist": "train-labels-idx1-ubyte", "cifar": "data_batch_"}[tiny.dataset]
    assert str(tiny.folder) in said and name in said and "--data mini" in said
    assert len(said.splitlines()) <= 3


@pytest.mark.parametrize("kind", ["absent", "file", "empty"])
def test_a_folder_that_is_none_or_holds_nothing_is_named(
    kind: str, tmp_path: Path, tiny_mnist: Any
) -> None:
    folder = tmp_path / "named"
    if kind == "file":
        folder.write_text("not a folder")
    if kind == "empty":
        folder.mkdir()
    words = {"absent": "does not exist", "file": "not a folder", "empty": "is missing"}
    with pytest.raises(DataError, match=words[kind]) as error:
        load_training("mnist", data_dir=str(folder))
    assert str(folder) in str(error.value)


def test_a_folder_named_too_deep_is_answered_with_the_right_one(tiny_mnist: Any) -> None:
    with pytest.raises(DataError) as error:
        load_training("mnist", data_dir=tiny_mnist.folder / "MNIST" / "raw")
    assert str(error.value).splitlines()[1] == f"{tiny_mnist.folder} holds it: give that folder."


def test_an_unreadable_folder_is_an_error_that_names_it(tiny_mnist: Any) -> None:
    tiny_mnist.folder.chmod(0)
    with (
        unprivileged(tiny_mnist.folder.parent),
        pytest.raises(DataError, match="cannot be read: Permission denied") as error,
    ):
        load_training("mnist", data_dir=tiny_mnist.folder)
    tiny_mnist.folder.chmod(0o755)
    assert str(tiny_mnist.folder) in str(error.value)


def test_a_search_passes_over_an_unreadable_folder(tmp_path: Path, tiny_mnist: Any) -> None:
    shutil.copytree(tiny_mnist.folder, tmp_path / "cluster")
    shutil.copytree(tiny_mnist.folder, tmp_path / "cwd/data")
    (tmp_path / "cwd/data").chmod(0)
    with unprivileged(tmp_path):
        assert load_training("mnist").folder == str(tmp_path / "cluster")
    (tmp_path / "cwd/data").chmod(0o755)


def test_the_argument_goes_before_data_dir_which_goes_before_the_search(
    tmp_path: Path, tiny_mnist: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("cwd/data", "cluster", "environment"):
        shutil.copytree(tiny_mnist.folder, tmp_path / place)

    def folder_used(data_dir: Path | None = None) -> str | None:
        return load_training("mnist", data_dir=data_dir).folder

    assert folder_used() == str(tmp_path / "cwd/data")
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "environment"))
    assert folder_used() == str(tmp_path / "environment")
    assert folder_used(tiny_mnist.folder) == str(tiny_mnist.folder)
    monkeypatch.setenv("DATA_DIR", "")
    (tmp_path / "cwd/data/MNIST/raw/train-labels-idx1-ubyte").unlink()
    assert folder_used() == str(tmp_path / "cluster")


def test_data_dir_is_taken_at_its_word_and_never_downloads(
    tmp_path: Path, tiny_mnist: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_mnist.folder, tmp_path / "cwd/data")  # the search would find this
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="elsewhere \\(from DATA_DIR\\) does not exist"):
        load_training("mnist")


def test_an_idx_file_that_contradicts_its_header_is_refused(
    tiny_mnist: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainers.data import training

    tiny_mnist.written[0].write_bytes(tiny_mnist.written[0].read_bytes()[:-1])
    tiny_mnist.change_checksums()
    monkeypatch.setitem(training.TRAINING_FILES, "mnist", tiny_mnist.files)
    assert "holds 156799 values" in refusal(tiny_mnist)

"""A user's own images: found, decoded, split, kept; and all that can be wrong with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainers.data import DataError, TrainingData
from trainers.data.own import TEST_FRACTION, Own, load_own
from trainers.data.test_set import load_test_of

COUNTS = {"bee": 30, "ant": 50}  # images of a class
SIZE = 12
Load = Callable[..., TrainingData]


def drawn(count: int, seed: int, shape: tuple[int, ...] = (SIZE, SIZE, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.fixture
def insects(tmp_path: Path) -> Path:
    """A folder with a folder a class."""
    root = tmp_path / "insects"
    for seed, (name, count) in enumerate(COUNTS.items()):
        (root / name).mkdir(parents=True)
        for number, image in enumerate(drawn(count, seed)):
            Image.fromarray(image).save(root / name / f"{number}.png")
    return root


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, train_size: int | None = None, **settings: Any) -> TrainingData:
        own = Own.parse(text, **settings)
        return load_own(own, cache=tmp_path / "cache", train_size=train_size)

    return load


def save(file: Path, **arrays: Any) -> Path:
    np.savez(file, **arrays)
    return file


def refusal(load: Load, text: str, **settings: Any) -> str:
    with pytest.raises(DataError) as caught:
        load(text, **settings)
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


def test_folder_and_arrays_give_one_fingerprint_and_one_split(
    insects: Path, tmp_path: Path, load: Load
) -> None:
    from_files = load(f"folder:{insects}")
    images = np.concatenate([drawn(30, 0), drawn(50, 1)])[::-1]  # in another order
    labels = np.repeat([1, 0], [30, 50])[::-1]
    arrays = {"channels last": images, "channels first": images.transpose(0, 3, 1, 2)}
    for name, form in arrays.items():
        file = save(tmp_path / f"{name}.npz", images=form, labels=labels)
        data = load(f"npz:{file}")
        assert data.fingerprint == from_files.fingerprint
        assert data.digest() != from_files.digest(), "names of classes belong to it"
        for part in ("train", "valid"):
            assert np.array_equal(getattr(data, part).images, getattr(from_files, part).images)
    assert (from_files.spec.channels, from_files.spec.size) == (3, SIZE)
    assert from_files.classes == ("ant", "bee"), "sorted, as torchvision's ImageFolder does"
    assert from_files.label == "insects"
    assert load(f"folder:{insects}", flips=False).fingerprint != from_files.fingerprint
    test = load_test_of(from_files)
    held_out = round(TEST_FRACTION * 80)
    assert len(test) == held_out
    assert len(from_files.valid) == round((80 - held_out) / 10)
    seen = [
        image.tobytes()
        for part in (test, from_files.train, from_files.valid)
        for image in part.images
    ]
    assert len(set(seen)) == 80, "no image in two parts"
    assert np.bincount(test.labels).tolist() == [10, 6], "classes in proportion"


def test_it_is_decoded_once_and_again_when_a_file_changes(
    insects: Path, load: Load, tmp_path: Path
) -> None:
    first = load(f"folder:{insects}")
    shutil.move(insects / "ant" / "0.png", tmp_path / "0.png")
    second = load(f"folder:{insects}")
    assert second.fingerprint != first.fingerprint
    shutil.move(tmp_path / "0.png", insects / "ant" / "0.png")
    assert load(f"folder:{insects}").fingerprint == first.fingerprint
    assert len(list((tmp_path / "cache").iterdir())) == 2, "found again, and nothing partial left"


def test_train_size_takes_a_prefix_in_proportion(insects: Path, load: Load) -> None:
    whole, few = load(f"folder:{insects}"), load(f"folder:{insects}", train_size=16)
    assert np.array_equal(few.train.images, whole.train.images[:16])
    assert np.bincount(few.train.labels).tolist() == [10, 6]
    assert few.fingerprint == whole.fingerprint
    assert "Give 2 to" in refusal(load, f"folder:{insects}", train_size=1000)


def test_the_datas_own_test_images_are_kept_apart(
    insects: Path, tmp_path: Path, load: Load
) -> None:
    root = tmp_path / "parts"
    shutil.copytree(insects, root / "train")
    for name in COUNTS:
        (root / "test" / name).mkdir(parents=True)
        for number in range(4):
            shutil.move(root / "train" / name / f"{number}.png", root / "test" / name)
    data = load(f"folder:{root}")
    test = load_test_of(data)
    assert (len(test), len(data.train) + len(data.valid)) == (8, 72)
    expected = {image.tobytes() for seed in (0, 1) for image in drawn(50, seed)[:4]}
    assert {image.transpose(1, 2, 0).tobytes() for image in test.images} == expected


def test_sizes_and_colours_are_chosen_by_the_images(tmp_path: Path, load: Load) -> None:
    labels = np.arange(12) % 2
    grey = save(tmp_path / "grey.npz", images=drawn(12, 0, (20, 20)), labels=labels)
    wide = save(tmp_path / "wide.npz", images=drawn(12, 0, (20, 40, 3)), labels=labels)
    found = {text: load(f"npz:{text}").spec for text in (grey, wide)}
    assert {text.stem: (s.channels, s.size) for text, s in found.items()} == {
        "grey": (1, 20),
        "wide": (3, 32),
    }
    larger = load(f"npz:{grey}", size=24, flips=False)
    assert larger.train.images.shape[1:] == (1, 24, 24) and larger.spec.glyphs
    middle = np.array(Image.fromarray(drawn(12, 0, (20, 40, 3))[0]).crop((10, 0, 30, 20)))
    kept = load(f"npz:{wide}", size=20).train.images.transpose(0, 2, 3, 1)
    assert any(np.array_equal(image, middle) for image in kept), "the middle square"


def test_a_set_of_torchvisions_is_read_where_its_files_lie(tmp_path: Path, load: Load) -> None:
    raw = tmp_path / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 60), ("t10k", 20)):
        images, labels = drawn(count, count, (28, 28)), (np.arange(count) % 10).astype(np.uint8)
        for kind, content in (("images-idx3", images), ("labels-idx1", labels)):
            head = np.array([0x800 + content.ndim, *content.shape], dtype=">i4")
            (raw / f"{part}-{kind}-ubyte").write_bytes(head.tobytes() + content.tobytes())
    data = load("torchvision:KMNIST", data_dir=str(tmp_path))
    assert (data.label, data.spec.channels, data.spec.size) == ("KMNIST", 1, 28)
    assert data.classes[:2] == ("o", "ki") and data.spec.glyphs, "no letter is another's mirror"
    assert (len(data.train) + len(data.valid), len(load_test_of(data))) == (60, 20)


def test_sixteen_bits_are_scaled(tmp_path: Path, load: Load) -> None:
    root = tmp_path / "scans"
    for name in COUNTS:
        (root / name).mkdir(parents=True)
        for number in range(6):
            bright = np.full((8, 8), 256 * (100 + number), dtype=np.uint16)
            Image.fromarray(bright).save(root / name / f"{number}.png")
    assert set(np.unique(load(f"folder:{root}").train.images)) <= set(range(100, 106))


def test_unreadable_images_are_named_and_counted_and_may_be_left_out(
    insects: Path, tmp_path: Path, load: Load
) -> None:
    whole = (insects / "bee" / "1.png").read_bytes()
    (insects / "ant" / "empty.png").touch()
    (insects / "bee" / "cut.png").write_bytes(whole[: len(whole) // 2])
    Image.new("L", (10_000, 10_000)).save(insects / "bee" / "bomb.png")
    said = refusal(load, f"folder:{insects}")
    assert "3 of 83 images cannot be read" in said and "--skip-unreadable" in said
    assert not any((tmp_path / "cache").iterdir()), "nothing is left behind"
    data = load(f"folder:{insects}", skip=True)
    assert len(data.train) + len(data.valid) + len(load_test_of(data)) == 80


def test_a_link_out_of_the_folder_is_refused(insects: Path, tmp_path: Path, load: Load) -> None:
    Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "secret.png")
    (insects / "bee" / "link.png").symlink_to(tmp_path / "secret.png")
    assert "link that leaves" in refusal(load, f"folder:{insects}")


def test_damaged_arrays_are_told_and_made_again(insects: Path, tmp_path: Path, load: Load) -> None:
    data = load(f"folder:{insects}")
    assert data.folder is not None
    for part, read in (("test", lambda: load_test_of(data)), ("train", None)):
        file = Path(data.folder) / f"{part}_images.npy"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        with pytest.raises(DataError, match="damaged"):
            read() if read else load(f"folder:{insects}")
    assert load(f"folder:{insects}").fingerprint == data.fingerprint


ONE = drawn(20, 0)
TWO = np.arange(20) % 2


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"pictures": ONE}, "no array `images`"),
        ({"images": ONE / 255, "labels": TWO}, "not uint8"),
        ({"images": np.full(ONE.shape, np.nan), "labels": TWO}, "not uint8"),
        ({"images": ONE[..., :2], "labels": TWO}, "1 or 3 channels"),
        ({"images": ONE[:0], "labels": TWO[:0]}, "has the shape (0, 12, 12, 3)"),
        ({"images": ONE, "labels": TWO[:7]}, "give (20,) whole numbers"),
        ({"images": ONE, "labels": TWO / 2}, "give (20,) whole numbers"),
        ({"images": ONE, "labels": 2 * TWO}, "without a gap"),
        ({"images": ONE, "labels": 0 * TWO}, "one class only"),
        ({"images": ONE, "labels": np.arange(20) // 19}, "at least 3 images: 1 (1)"),
        ({"images": ONE, "labels": TWO, "test_images": ONE}, "labels for one of"),
        ({"images": np.array([{}], dtype=object)}, "plain arrays"),
    ],
)
def test_arrays_that_are_no_images_are_refused(
    arrays: dict[str, Any], said: str, tmp_path: Path, load: Load
) -> None:
    assert said in refusal(load, f"npz:{save(tmp_path / 'bad.npz', **arrays)}")
    assert not list(tmp_path.glob("cache/*"))


def test_what_is_not_there_is_named(tmp_path: Path, load: Load) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.npz").write_bytes(b"no arrays")
    for text, said in {
        f"folder:{tmp_path / 'nowhere'}": "there is no such folder",
        f"npz:{tmp_path / 'nowhere'}": "there is no such file",
        f"folder:{tmp_path / 'empty'}": "there is no image in",
        f"npz:{tmp_path / 'text.npz'}": "no npz file",
        "torchvision:Places365": "there are: FashionMNIST",
        "zip:images": "expected mini, folder:DIR",
    }.items():
        assert said in refusal(load, text, data_dir=str(tmp_path))

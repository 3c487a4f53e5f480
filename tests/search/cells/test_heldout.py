"""The test set is read for kept weights, and every reading is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from search.cells import heldout
from search.cells.store import TrainedCell
from tests.damage import flip
from trainers.data import TrainingData
from trainers.protocol import VERSION

IMAGES = 359  # of mini's digits, those that no training may see
MakeKept = Callable[..., TrainedCell]
Open = Callable[..., heldout.TestSet]


@pytest.fixture
def opened(digits: TrainingData, tmp_path: Path) -> Callable[..., heldout.TestSet]:
    """Mini's test digits; readings are noted in the test's folder."""
    where = {"data_dir": None, "ledger": tmp_path / heldout.LEDGER, "device": "cpu"}
    return partial(heldout.TestSet, digits, **where)


def test_the_numbers_agree_with_the_predictions(make_kept: MakeKept, opened: Open) -> None:
    kept = make_kept()
    assert not kept.tested
    numbers = opened().read(kept, purpose="a test")
    assert kept.tested
    assert kept.test == numbers
    outputs = kept.test_outputs()
    predictions, labels = outputs["predictions"], outputs["labels"]
    others = {"linear_predictions": "linear_accuracy", "knn_predictions": "knn_accuracy"}
    names = {"predictions", "labels", *others}
    assert outputs.keys() == names, "latents are kept of trained cells"
    for name, measure in others.items():
        assert numbers[measure] == pytest.approx((outputs[name] == labels).mean(), abs=1e-12)
        assert 0.5 < numbers[measure] < 1 and (outputs[name] != predictions).any()
    assert len(labels) == numbers["images"] == IMAGES
    assert numbers["accuracy"] == pytest.approx((predictions == labels).mean(), abs=1e-12)
    assert 0.5 < numbers["accuracy"] < 1, "else the images and the labels do not belong together"
    confusion = np.zeros((10, 10), dtype=int)
    np.add.at(confusion, (labels, predictions), 1)
    assert numbers["confusion"] == confusion.tolist()
    by_class = [(predictions[labels == digit] == digit).mean() for digit in range(10)]
    assert numbers["per_class"] == pytest.approx(by_class)
    assert "mae" not in numbers
    files = {"metrics.json", "model.json", "test.json", "test.npz", "weights.safetensors"}
    assert {path.name for path in kept.folder.iterdir()} == files


def test_a_decoder_is_measured_too(make_kept: MakeKept, opened: Open) -> None:
    numbers = opened().read(make_kept("pca"), purpose="a test")
    assert 0 < numbers["mae"] < 0.1


def test_every_reading_is_counted_by_weights(
    make_kept: MakeKept, tmp_path: Path, opened: Open
) -> None:
    one, other, same = make_kept(seed=1), make_kept(seed=2), make_kept(seed=1)
    test = opened()
    read = [test.read(kept, purpose=p)["reading"] for kept, p in ((one, "a"), (other, "b"))]
    read += [opened().read(kept, purpose=p)["reading"] for kept, p in ((one, "c"), (same, "d"))]
    assert [reading["reading"] for reading in read] == [1, 1, 2, 3]
    assert [reading["purpose"] for reading in read] == ["a", "b", "c", "d"]
    assert read[0]["weights"] == read[2]["weights"] == one.weights_hash() != read[1]["weights"]
    assert heldout.readings(tmp_path / heldout.LEDGER) == read
    assert one.test["reading"]["reading"] == 2


def test_a_reading_that_breaks_off_is_none(
    make_kept: MakeKept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Open
) -> None:
    kept, test = make_kept(), opened()

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "savez_compressed", full)
        with pytest.raises(OSError, match="no space"):
            test.read(kept, purpose="a test")
    assert not kept.tested
    assert heldout.readings(tmp_path / heldout.LEDGER) == []
    assert test.read(kept, purpose="a test")["reading"]["reading"] == 1


def test_numbers_are_never_there_without_their_line(
    make_kept: MakeKept, tmp_path: Path, opened: Open
) -> None:
    """A ledger that cannot be written leaves the cell untested."""
    kept, test = make_kept(), opened()
    (tmp_path / heldout.LEDGER).mkdir()
    with pytest.raises(OSError):
        test.read(kept, purpose="a test")
    assert not kept.tested
    assert not (kept.folder / "test.npz").exists()


@pytest.mark.parametrize("names_its_weights", [True, False])
def test_a_line_that_was_cut_is_skipped_told_and_counted_if_it_names_its_weights(
    make_kept: MakeKept, tmp_path: Path, names_its_weights: bool, opened: Open
) -> None:
    kept, ledger = make_kept(), tmp_path / heldout.LEDGER
    opened().read(kept, purpose="first")
    opened().read(kept, purpose="second")
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[: -20 if names_its_weights else len(whole) // 2 + 10])
    told: list[str] = []
    test = opened(say=told.append)
    counted = 2 + names_its_weights
    assert test.read(kept, purpose="third")["reading"]["reading"] == counted
    assert test.read(kept, purpose="fourth")["reading"]["reading"] == counted + 1
    assert told == [f"{ledger}: line 2 is cut or damaged, and skipped"]
    read = [line.get("purpose") for line in heldout.readings(ledger)]
    assert read == ["first", *[None] * names_its_weights, "third", "fourth"]
    heldout.note_figures(tmp_path, kept.weights_hash())
    assert len(heldout.readings(ledger)) == len(read) + 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test.json", "test.npz"])
@pytest.mark.parametrize("damage", [Path.unlink, flip])
@pytest.mark.parametrize("old", [False, True])
def test_what_was_measured_and_is_damaged_is_measured_again(
    name: str, damage: Callable[[Path], None], old: bool, make_kept: MakeKept, opened: Open
) -> None:
    kept = make_kept()
    first = opened().read(kept, purpose="first")
    if old:
        without = {key: value for key, value in first.items() if key != "hashes"}
        (kept.folder / "test.json").write_text(json.dumps(without))
    assert kept.tested
    file = kept.folder / name
    damage(file)
    if (old, name, damage) == (True, "test.json", flip):
        return  # a digit may be another: nothing tells
    assert not kept.tested
    told: list[str] = []
    test = opened(say=told.append)
    again = test.read(kept, purpose="again")
    assert kept.tested and again["accuracy"] == first["accuracy"]
    assert again["reading"]["reading"] == 2
    if (name, damage) != ("test.json", Path.unlink):
        assert told == [f"{file} is missing or damaged; the test set is read again"]


def test_readings_are_counted_by_experiment_and_protocol(
    make_kept: MakeKept, tmp_path: Path, opened: Open
) -> None:
    """Lines of before the protocol was noted are of version 1."""
    ledger, test = tmp_path / heldout.LEDGER, opened()
    old = {"weights": 16 * "0", "purpose": "mnist_vae-mini rerun 1: champion"}
    ledger.write_text(json.dumps(old) + "\n")
    for purpose in ("mnist_vae-mini rerun 2: champion", "mnist_vae-mini rerun 3: PCA"):
        test.read(make_kept(), purpose=purpose)
    test.read(make_kept(), purpose="mnist_vae rerun 2: champion")
    assert heldout.count_readings(ledger, "mnist_vae-mini") == {"1": 1, str(VERSION): 2}
    assert heldout.count_readings(ledger, "mnist_vae") == {str(VERSION): 1}
    assert heldout.count_readings(tmp_path / "none", "mnist_vae") == {}


def test_the_ledger_is_lines_of_json(make_kept: MakeKept, tmp_path: Path, opened: Open) -> None:
    opened().read(make_kept(), purpose="ä test\nof two lines")
    [line] = (tmp_path / heldout.LEDGER).read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["purpose"] == "ä test\nof two lines"

"""Searches, final numbers and champions of a user's own images, by the commands themselves."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from search import champions
from tests import commands
from trainers.data import load_training

pytestmark = pytest.mark.slow
NAME = "mnist_supervised@shapes"
SMALL = ("--set", "width=16", "--set", "batch_size=128", "--set", "depth=3")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of work with digits of three classes, as files and as arrays."""
    work = tmp_path_factory.mktemp("own")
    digits = load_training("mnist", mini=True).train
    rows = np.flatnonzero(digits.labels < 3)
    for row in rows:
        folder = work / "shapes" / "oil"[digits.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.images[row, 0]).save(folder / f"{row}.png")
    labels = np.array([2, 0, 1])[digits.labels[rows]]  # i, l, o
    np.savez(work / "shapes.npz", images=digits.images[rows, 0], labels=labels)
    return work


@pytest.fixture(scope="module")
def searched(shapes: Path) -> commands.Ended:
    """A search of two trials on the files."""
    words = ("--pipeline", "mnist_supervised", "--data", "folder:shapes", "--no-flip")
    how = ("--trials", "2", "--epochs", "2", "--study", "first", "--scheduler", "none", *SMALL)
    return commands.tune(shapes, *words, *how)


def test_a_search_names_its_data_and_is_trained_again_to_the_last_digit(
    searched: commands.Ended, shapes: Path
) -> None:
    assert (searched.status, searched.err) == (0, "")
    assert "2 of 2 trials (2 complete" in searched.out
    assert "search/rerun.py --pipeline mnist_supervised --data folder:shapes --no-flip" in (
        searched.out.replace("\n", " ")
    )
    replayed = searched.out.split("--replay ")[1].split()[0]
    again = ("--replay", replayed, "--quiet")
    refused = commands.tune(shapes, *again)
    assert refused.status == 2 and "the trial was trained on shapes" in refused.err
    done = commands.tune(shapes, *again, "--data", "npz:shapes.npz", "--no-flip")
    assert done.status == 0, "arrays give the same curve: " + done.err


def test_its_champion_is_measured_loaded_and_kept_beside_others(
    searched: commands.Ended, shapes: Path
) -> None:
    words = ("--pipeline", "mnist_supervised", "--data", "folder:shapes", "--no-flip")
    how = ("--seeds", "2", "--json", "final.json", "--without", "defaults,random")
    done = commands.run("search/rerun.py", *words, *how, folder=shapes)
    assert done.status == 0, done.err
    [result] = json.loads((shapes / "final.json").read_bytes())["pipelines"].values()
    accuracy = result["rows"][0]["metrics"]["test/accuracy"]
    with chdir(shapes):
        model = champions.load(NAME)
    digits = np.load(shapes / "shapes.npz")
    with torch.no_grad():
        logits = model(torch.from_numpy(digits["images"][:, None]).float() / 255)
    assert logits.shape[1] == 3
    share = (logits.argmax(1).numpy() == digits["labels"]).mean()
    assert share == pytest.approx(np.mean(accuracy), abs=0.1), "of all images, not of the test's"
    missing = commands.run("search/rerun.py", "--pipeline", "mnist_supervised", folder=shapes)
    assert missing.status != 0 and "no finished study" in missing.err


def test_pipelines_for_any_images_search_them_as_they_are(shapes: Path) -> None:
    words = ("--pipeline", "image_autoencoder", "--data", "npz:shapes.npz", "--image-size", "20")
    how = ("--trials", "1", "--epochs", "1", "--set", "width=16", "--set", "batch_size=128")
    done = commands.tune(shapes, *words, *how)
    assert (done.status, done.err) == (0, "")
    assert "1 of 1 trials (1 complete" in done.out
    alone = commands.tune(shapes, "--pipeline", "image_autoencoder")
    assert alone.status == 2 and "images of your own: name them with --data" in alone.err


def test_what_does_not_fit_is_told_in_two_lines(shapes: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for number, file in enumerate((shapes / "shapes" / "o").iterdir()):
        shutil.copy(file, flat / f"{number}.png")
    for data, status, said in (
        (f"folder:{shapes / 'shapes'}", 2, "made for colour images of 32 x 32"),
        (f"folder:{flat}", 2, "has no labels"),
        (f"folder:{tmp_path / 'none'}", 1, "there is no such folder"),
        ("folder", 2, "did you mean folder:?"),
    ):
        words = ("--pipeline", "cifar_supervised", "--trials", "1", "--data", data)
        done = commands.tune(tmp_path, *words)
        assert (done.status, said in done.err) == (status, True), done.err
        assert len(done.err.splitlines()) <= 3
    words = ("--pipeline", "mnist_supervised", "--data", "mini", "--no-flip")
    done = commands.tune(tmp_path, *words)
    assert done.status == 2 and "are for images of your own" in done.err
    assert not (tmp_path / "mlruns" / "studies").exists()

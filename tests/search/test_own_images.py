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
from pyarrow import parquet

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


def test_the_champion_embeds_any_images(searched: commands.Ended, shapes: Path) -> None:
    def embed(*words: str) -> commands.Ended:
        return commands.run("search/embed.py", *words, folder=shapes)

    broken = shapes / "some" / "x"
    shutil.copytree(shapes / "shapes", broken)
    last = max((broken / "o").iterdir())
    last.write_bytes(last.read_bytes()[:60])
    of = ("--pipeline", NAME)
    cut = embed(*of, "--data", f"folder:{broken}", "--out", "cut.npz")
    assert cut.status == 1 and f"o/{last.name} cannot be read" in cut.err
    assert not (shapes / "cut.npz").exists()
    for out in ("some.npz", "some.parquet"):
        words = ("--data", f"folder:{broken}", "--skip-unreadable", "--out", out)
        done = embed(*of, *words)
        assert done.status == 0 and "; 1 could not be read" in done.out.replace("\n", " "), done.err
    arrays, table = np.load(shapes / "some.npz"), parquet.read_table(shapes / "some.parquet")
    assert arrays["latents"].shape == (len(arrays["files"]), 128)
    assert table["file"].to_pylist() == arrays["files"].tolist()
    assert table["label"].to_pylist() == [file[0] for file in arrays["files"].tolist()]
    assert table["latent"].to_pylist() == arrays["latents"].tolist()
    with chdir(shapes):
        encoder = champions.load(NAME).encoder
    pictures = [np.asarray(Image.open(broken / file)) for file in arrays["files"][::40]]
    with torch.no_grad():
        latents = encoder(torch.from_numpy(np.stack(pictures)[:, None]).float() / 255)
    np.testing.assert_allclose(arrays["latents"][::40], latents.numpy(), atol=1e-4)

    trial = searched.out.split("--replay ")[1].split()[0]
    assert embed("--trial", trial, "--data", "npz:shapes.npz", "--out", "t.npz").status == 0
    for wrong, status, said in (
        (("--trial", "none", "--out", "t.npz"), 2, "no trial has this id"),
        (("--pipeline", "mnist_supervise", "--out", "t.npz"), 2, "did you mean mnist_supervised?"),
        (("--pipeline", "image_supervised", "--out", "t.npz"), 1, "has no champion"),
        ((*of, "--out", "t.npz"), 2, "name the images with --data"),
        ((*of, "--out", "t.csv"), 2, "ends neither in .npz nor in .parquet"),
        (("--out", "t.npz"), 2, "name a --pipeline or a --trial"),
    ):
        done = embed(*wrong)
        assert (done.status, said in done.err) == (status, True), done.err
        assert len(done.err.splitlines()) <= 3


def test_pipelines_for_any_images_search_them_as_they_are(shapes: Path) -> None:
    words = ("--pipeline", "image_autoencoder", "--data", "npz:shapes.npz", "--image-size", "20")
    how = ("--trials", "1", "--epochs", "1", "--set", "width=16", "--set", "batch_size=128")
    done = commands.tune(shapes, *words, *how)
    assert (done.status, done.err) == (0, "")
    assert "1 of 1 trials (1 complete" in done.out
    alone = commands.tune(shapes, "--pipeline", "image_autoencoder")
    assert alone.status == 2 and "images of your own: name them with --data" in alone.err


def test_images_without_labels_are_searched_measured_and_kept(shapes: Path) -> None:
    labelled = np.load(shapes / "shapes.npz")["images"]
    np.savez(shapes / "unlabelled.npz", images=labelled)
    data = ("--data", "npz:unlabelled.npz")
    for method, metric in (
        ("contrastive", "valid/view_information"),
        ("autoencoder", "valid/neg_mae"),
    ):
        words = ("--pipeline", f"image_{method}", *data)
        how = ("--trials", "3", "--epochs", "2", "--set", "width=16", "--set", "batch_size=256")
        done = commands.run("search/tune.py", *words, *how, folder=shapes)
        assert (done.status, done.err) == (0, "")
        assert f"no labels: trials are compared by {metric}" in done.out
        assert "3 of 3 trials" in done.out and "accuracy" not in done.out
    replayed = done.out.split("--replay ")[1].split()[0]
    again = commands.run("search/tune.py", "--replay", replayed, *data, folder=shapes)
    assert again.status == 0 and "the same curve, to the last digit" in again.out
    words = ("--pipeline", "image_contrastive", *data, "--seeds", "2", "--json", "unlabelled.json")
    done = commands.run("search/rerun.py", *words, folder=shapes)
    assert done.status == 0, done.err
    [result] = json.loads((shapes / "unlabelled.json").read_bytes())["pipelines"].values()
    rows = {row["name"]: row["metrics"] for row in result["rows"]}
    assert {"defaults", "ablation", "random encoder", "PCA", "raw pixels"} < rows.keys()
    judged = ("test/rankme", "valid/view_information", "test/view_information")
    assert all(len(row[name]) == 2 for row in rows.values() for name in judged)
    assert not any("accuracy" in metric for row in rows.values() for metric in row)
    with chdir(shapes):
        model = champions.load("image_contrastive@unlabelled")
    with torch.no_grad():
        latents = model(torch.from_numpy(labelled[:, None]).float() / 255)
    assert latents.shape == (len(labelled), 128), "latents, since there are no classes"


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

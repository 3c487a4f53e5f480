"""Reconstructions: errors, the five, what is said and drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from analysis.cache import Cache
from analysis.document import Table
from analysis.reconstructions import errors
from analysis.reconstructions.chapter import section
from analysis.reconstructions.errors import Reconstructions, absolute_errors, five
from analysis.records import Findings, PipelineRecord
from tests.analysis.blocks import check_drawn, figures, words

MNIST, CIFAR = "mnist_autoencoder", "cifar_autoencoder"


def made_up(**changed: Any) -> Reconstructions:
    """Forty images of four classes, class 3 the hardest, errors about 0.01 to 0.05."""
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 4
    image = np.zeros((1, 4, 4), np.float32)
    fields: dict[str, Any] = {
        "errors": 0.01 + 0.01 * labels + rng.uniform(0, 0.005, 40),
        "labels": labels,
        "classes": ("a", "b", "c", "d"),
        "five": np.array([0, 1, 2, 3, 4]),
        "best": np.array([0]),
        "worst": np.array([3]),
        "pictures": dict.fromkeys(range(5), (image, image, image)),
        "constant": 0.1,
        "recorded": None,
        "linear": None,
    }
    return Reconstructions(**{**fields, **changed})


# Errors ------------------------------------------------------------------------------------------


def test_errors_are_those_of_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 2, 4, 5)).astype(np.uint8)
    other = rng.uniform(0, 1, (3, 2, 4, 5)).astype(np.float32)
    slow = [
        sum(abs(float(a) / 255 - float(b)) for a, b in zip(x.ravel(), y.ravel(), strict=True)) / 40
        for x, y in zip(images, other, strict=True)
    ]
    np.testing.assert_allclose(absolute_errors(images, other), slow, rtol=1e-5)


def test_errors_are_of_pairs() -> None:
    with pytest.raises(ValueError, match=r"\(2, 1, 3, 3\), reconstructions \(1, 1, 3, 3\)"):
        absolute_errors(np.zeros((2, 1, 3, 3)), np.zeros((1, 1, 3, 3)))


# The five ----------------------------------------------------------------------------------------


def test_the_five_are_of_different_classes_and_follow_the_seed(findings: Findings) -> None:
    record = findings.records[MNIST]
    chosen = [five(record, seed) for seed in range(20)]
    for rows in chosen:
        assert len(set(record.images.labels[rows])) == 5
    np.testing.assert_array_equal(chosen[3], five(record, 3))
    assert len({tuple(rows) for rows in chosen}) > 15  # of 20; all ten classes may come first


def test_five_classes_are_needed(findings: Findings) -> None:
    record = findings.records[MNIST]
    few = record.images.take(np.flatnonzero(record.images.labels < 4))
    with pytest.raises(ValueError, match="4 classes, five are needed"):
        five(replace(record, images=few), 0)


# What is computed --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [MNIST, CIFAR])
def test_the_whole_split_is_measured(findings: Findings, name: str) -> None:
    record = findings.records[name]
    found = errors.compute_reconstructions(record, 0)
    images = record.images.images / 255
    decoded = record.decode(record.encode(record.images.images))
    every = np.abs(images - decoded).reshape(len(images), -1).mean(1)
    np.testing.assert_allclose(found.errors, every, atol=1e-5)
    assert every[found.best[0]] == pytest.approx(every.min(), abs=1e-5)
    assert every[found.worst[0]] == pytest.approx(every.max(), abs=1e-5)
    np.testing.assert_array_equal(found.five, five(record, 0))
    row = int(found.five[0])
    np.testing.assert_allclose(found.pictures[row][0], images[row], atol=1e-6)
    np.testing.assert_allclose(found.pictures[row][1], decoded[row], atol=1e-5)
    train = record.data.train.images.reshape(len(record.data.train), -1) / 255
    pca = PCA(record.latents.shape[1], svd_solver="full").fit(train)
    [linear] = pca.inverse_transform(pca.transform(images[row].reshape(1, -1)))
    expected = linear.clip(0, 1).reshape(images[row].shape)
    np.testing.assert_allclose(found.pictures[row][2], expected, atol=1e-4)
    median = np.median(record.data.train.images, axis=0) / 255
    assert found.constant == pytest.approx(np.abs(images - median).mean(), abs=1e-5)


def test_what_the_rerun_recorded_is_of_the_same_weights(findings: Findings) -> None:
    record = findings.records[MNIST]
    assert record.result is not None
    assert errors.compute_reconstructions(record, 0).recorded == 0.0415
    assert errors.compute_reconstructions(record, 0).linear == pytest.approx(0.0415, abs=1e-4)
    cells = record.result["rows"][0]["cells"]
    other = replace(record, result={**record.result, "model": {"cell": cells[2]}})
    assert errors.compute_reconstructions(other, 0).recorded == 0.0425


def test_nothing_is_reconstructed_twice_but_other_weights_are(
    findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = findings.records[MNIST]
    errors.compute_reconstructions(record, 0)
    monkeypatch.setattr(errors, "_measure", lambda record: pytest.fail("computed"))
    errors.compute_reconstructions(record, 1)  # another five, the same errors
    with pytest.raises(pytest.fail.Exception, match="computed"):
        errors.compute_reconstructions(replace(record, weights="others"), 0)


def test_shares_of_variance_have_closed_forms() -> None:
    labels = np.arange(40) % 4
    only_class = made_up(errors=0.01 * (1 + labels))
    assert only_class.explained_by_class == pytest.approx(1)
    assert only_class.hardest_first == [3, 2, 1, 0]
    no_class = made_up(errors=0.01 * (1 + (np.arange(40) // 4) % 2))
    assert no_class.explained_by_class == pytest.approx(0)
    assert made_up(errors=np.full(40, 0.1)).explained_by_class == 0


# The section -------------------------------------------------------------------------------------


def test_the_section_has_its_parts(findings: Findings) -> None:
    made = section(findings)
    assert (made.id, made.title) == ("reconstructions", "Reconstructions")
    kinds = ("reconstructions", "reconstruction_errors", "reconstruction_extremes")
    assert set(figures(made)) == {f"{kind}_{name}" for name in (MNIST, CIFAR) for kind in kinds}
    [table] = [block for block in made.blocks if isinstance(block, Table)]
    assert [row[0] for row in table.rows] == ["MNIST autoencoder", "CIFAR-10 autoencoder"]
    assert table.rows[0][3] == errors.compute_reconstructions(findings.records[MNIST], 0).mean
    assert table.rows[0][8] == 0.0415, "as the rerun recorded it"
    assert "run `run-of-m`" in figures(made)["reconstructions_mnist_autoencoder"].caption
    assert "Missing" not in words(made)
    for figure in figures(made).values():
        check_drawn(figure)


def test_missing_autoencoders_are_named(findings: Findings, only: Any) -> None:
    made = section(only(findings, MNIST, "cifar_supervised"))
    assert all(MNIST in name for name in figures(made))
    command = "python search/tune.py --pipeline cifar_autoencoder --data mini"
    assert f"Missing here: cifar_autoencoder (run `{command}`)." in words(made)
    made = section(only(findings, "mnist_supervised"))
    assert not figures(made)
    assert "mnist_autoencoder" in words(made) and "cifar_autoencoder" in words(made)


def test_what_is_not_final_is_drawn_from_validation(
    findings: Findings, only: Any, unfinished: Any, tmp_path: Any
) -> None:
    record: PipelineRecord = replace(unfinished(findings.records[CIFAR]), cache=Cache(tmp_path))
    made = section(only(findings, CIFAR, **{CIFAR: record}))
    caption = figures(made)["reconstructions_cifar_autoencoder"].caption
    assert "80 validation images; not final: the best trial so far" in caption
    assert "test images" not in words(made)

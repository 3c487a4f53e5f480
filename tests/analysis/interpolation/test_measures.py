"""Measures of walks: the path, entropy, ghosting, distances, each against a slow reference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.cache import Cache
from analysis.interpolation import measures
from analysis.interpolation.measures import measure_paths, measure_real
from analysis.records import Findings

MNIST, CIFAR = "mnist_autoencoder", "cifar_autoencoder"


# What is measured --------------------------------------------------------------------------------


def test_measures_of_a_walk_are_those_of_brute_force(
    findings: Findings, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(measures, "REFERENCES", 60)
    monkeypatch.setattr(measures, "NEIGHBOUR", 3)
    record = replace(findings.records[CIFAR], cache=Cache(tmp_path))
    rows = np.array([[0, 5], [7, 2]])
    found = measure_paths(record, rows, steps=4)
    training = record.data.train.images[:60].reshape(60, -1) / 255
    known = record.encode(record.data.train.images[:60])
    for pair, (first, second) in enumerate(rows):
        for step in range(4):
            share = step / 3
            latent = (1 - share) * record.latents[first] + share * record.latents[second]
            decoded = record.decode(latent[None])
            gaps = np.linalg.norm(training - decoded.reshape(1, -1), axis=1)
            assert found.nearest[pair, step] == pytest.approx(gaps.min(), rel=1e-4)
            gaps = np.sort(np.linalg.norm(known - latent, axis=1))
            assert found.sparsity[pair, step] == pytest.approx(gaps[2], rel=1e-3)
            images = record.images.images / 255
            mixed = (1 - share) * images[first] + share * images[second]
            gaps = np.linalg.norm(training - mixed.reshape(1, -1), axis=1)
            assert found.mixed_nearest[pair, step] == pytest.approx(gaps.min(), rel=1e-4)
    assert (found.entropy <= np.log(10) + 1e-6).all()
    assert (found.confidence >= 0.1 - 1e-6).all()
    np.testing.assert_array_equal(found.predicted[:, 0], record.logits[rows[:, 0]].argmax(1))


def test_real_images_are_measured_alike(findings: Findings, tmp_path: Any) -> None:
    record = replace(findings.records[MNIST], cache=Cache(tmp_path))
    rows = np.array([3, 1, 4])
    found = measure_real(record, rows)
    walked = measure_paths(record, np.array([[3, 1], [4, 3]]))
    np.testing.assert_allclose(found.entropy[:2], walked.entropy[0, [0, -1]], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.sparsity[:2], walked.sparsity[0, [0, -1]], rtol=1e-4)
    # A mix at its ends is the image itself.
    np.testing.assert_allclose(found.nearest[:2], walked.mixed_nearest[0, [0, -1]], rtol=1e-4)

"""Walks between latents: which pairs, what is computed and drawn, the section."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.cache import Cache
from analysis.document import Table
from analysis.interpolation import measures
from analysis.interpolation.chapter import section
from analysis.interpolation.measures import compute_interpolation, random_pairs
from analysis.reconstructions.errors import five
from analysis.records import Findings, PipelineRecord
from tests.analysis.blocks import check_drawn, figures, words

MNIST, CIFAR = "mnist_autoencoder", "cifar_autoencoder"


# Pairs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same", [True, False])
def test_random_pairs_are_of_one_class_or_of_two(same: bool) -> None:
    labels = np.repeat(np.arange(5), 6)
    rows = random_pairs(labels, 50, same=same, seed=1)
    assert rows.shape == (50, 2)
    assert (rows[:, 0] != rows[:, 1]).all()
    assert ((labels[rows[:, 0]] == labels[rows[:, 1]]) == same).all()
    np.testing.assert_array_equal(rows, random_pairs(labels, 50, same=same, seed=1))
    assert (rows != random_pairs(labels, 50, same=same, seed=2)).any()


def test_pairs_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="no two images of one class"):
        random_pairs(np.arange(5), 3, same=True, seed=0)
    with pytest.raises(ValueError, match="all images are of one class"):
        random_pairs(np.zeros(5, int), 3, same=False, seed=0)


# What is computed ---------------------------------------------------------------------------------


def test_walks_are_measured_once(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    record = findings.records[MNIST]
    first = compute_interpolation(record, 0)
    monkeypatch.setattr(measures, "nearest_distances", lambda *_, **__: pytest.fail("not cached"))
    second = compute_interpolation(record, 0)
    np.testing.assert_array_equal(first.between.nearest, second.between.nearest)
    with pytest.raises(pytest.fail.Exception, match="not cached"):
        compute_interpolation(replace(record, weights="others"), 0)
    with pytest.raises(pytest.fail.Exception, match="not cached"):
        compute_interpolation(record, 1)


def test_the_shown_pair_is_of_the_five(findings: Findings) -> None:
    record = findings.records[MNIST]
    found = compute_interpolation(record, 0)
    np.testing.assert_array_equal(found.shown.rows[0], five(record, 0)[:2])
    assert found.labels[1:].tolist() == [[4, 7], [8, 9], [3, 4], [5, 1]]
    images = record.images.images[found.shown.rows] / 255
    np.testing.assert_allclose(found.mixed[:, 0], images[:, 0], atol=1e-6)
    np.testing.assert_allclose(found.mixed[:, -1], images[:, 1], atol=1e-6)
    ends = record.decode(record.latents[found.shown.rows[:, 0]])
    np.testing.assert_allclose(found.decoded[:, 0], ends, atol=1e-5)
    assert len(compute_interpolation(findings.records[CIFAR], 0).labels) == 1


def test_pairs_without_images_are_left_out(findings: Findings, tmp_path: Any) -> None:
    record = findings.records[MNIST]
    kept = np.flatnonzero(record.images.labels != 9)
    fewer = replace(record, images=record.images.take(kept), stored={}, cache=Cache(tmp_path))
    assert compute_interpolation(fewer, 0).labels.tolist()[1:] == [[4, 7], [3, 4], [5, 1]]


# The section -------------------------------------------------------------------------------------


def test_the_section_has_its_parts(findings: Findings) -> None:
    made = section(findings)
    assert (made.id, made.title) == ("interpolation", "Interpolation")
    kinds = ("interpolation", "interpolation_measures")
    assert set(figures(made)) == {f"{kind}_{name}" for name in (MNIST, CIFAR) for kind in kinds}
    assert "**Both ends are among the 10**" in words(made)
    tables = {block.name: block for block in made.blocks if isinstance(block, Table)}
    assert set(tables) == {f"interpolation_{MNIST}", f"interpolation_{CIFAR}"}
    rows = tables[f"interpolation_{MNIST}"].rows
    assert len(rows) == 5 + 3
    assert "4 to 7" in [row[0] for row in rows]
    for figure in figures(made).values():
        check_drawn(figure)


def test_a_missing_autoencoder_is_named(findings: Findings, only: Any) -> None:
    made = section(only(findings, CIFAR))
    assert all(CIFAR in name for name in figures(made))
    assert "Missing here: mnist_autoencoder (run `python search/tune.py" in words(made)
    assert not figures(section(only(findings, "mnist_supervised")))


def test_what_is_not_final_is_drawn_from_validation(
    findings: Findings, only: Any, unfinished: Any, tmp_path: Any
) -> None:
    record: PipelineRecord = replace(unfinished(findings.records[MNIST]), cache=Cache(tmp_path))
    made = section(only(findings, MNIST, **{MNIST: record}))
    caption = figures(made)[f"interpolation_{MNIST}"].caption
    assert "80 validation images; not final: the best trial so far" in caption
    assert "real validation images" in words(made)

"""The path, entropy, ghosting: closed forms and slow references."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from trainers.measures.interpolation import entropy, ghosting, path

# The path ----------------------------------------------------------------------------------------


def test_both_ends_are_exact_and_the_steps_equal() -> None:
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, 128)).astype(np.float32) * 1e3
    walked = path(start, end, steps=10)
    assert walked.shape == (10, 128)
    np.testing.assert_array_equal(walked[0], start)
    np.testing.assert_array_equal(walked[-1], end)
    gaps = np.diff(walked.astype(np.float64), axis=0)
    np.testing.assert_allclose(gaps, np.broadcast_to((end - start) / 9, gaps.shape), atol=1e-2)
    np.testing.assert_allclose(walked[3], start * (6 / 9) + end * (3 / 9), rtol=1e-3, atol=1e-3)


def test_a_path_has_two_ends_of_one_shape() -> None:
    with pytest.raises(ValueError, match="not 1 steps"):
        path(np.zeros(3), np.ones(3), 1)
    with pytest.raises(ValueError, match=r"start is \(3,\), end is \(4,\)"):
        path(np.zeros(3), np.ones(4))


# Entropy -----------------------------------------------------------------------------------------


def test_entropy_is_that_of_scipy_and_zero_where_all_is_sure() -> None:
    chances = np.random.default_rng(0).dirichlet(np.full(10, 0.3), size=(20, 3))
    np.testing.assert_allclose(entropy(chances), stats.entropy(chances, axis=-1), rtol=1e-9)
    assert entropy(np.eye(10)).tolist() == [0] * 10
    assert entropy(np.array([0.5, 0.5, 0, 0])) == pytest.approx(np.log(2))


# Ghosting ----------------------------------------------------------------------------------------


def test_an_affine_decoder_draws_nothing_but_ghosts() -> None:
    rng = np.random.default_rng(0)
    weight, shift = rng.normal(size=(2, 7, 49)), rng.normal(size=49)
    latents = path(*rng.normal(size=(2, 7)))
    found = ghosting(latents @ weight[0] + shift)
    assert np.isnan(found[[0, -1]]).all()
    np.testing.assert_allclose(found[1:-1], 1, atol=1e-5)


def test_halfway_between_ghost_and_decision_is_one_half() -> None:
    start, end = np.random.default_rng(0).uniform(size=(2, 1, 6, 6))
    jump = np.stack([start] * 5 + [end] * 5)
    found = ghosting((jump + path(start, end)) / 2)
    np.testing.assert_allclose(found[1:-1], 0.5, atol=1e-5)


def test_ghosting_is_that_of_a_slow_loop() -> None:
    walk = np.random.default_rng(0).uniform(size=(7, 3, 4, 4))
    found = ghosting(walk)
    for step in range(1, 6):
        alpha = step / 6
        fade = (1 - alpha) * walk[0] + alpha * walk[6]
        away = np.sqrt(((walk[step] - fade) ** 2).sum())
        ends = np.sqrt(((walk[6] - walk[0]) ** 2).sum())
        expected = max(0.0, 1 - away / (min(alpha, 1 - alpha) * ends))
        assert found[step] == pytest.approx(expected, abs=1e-5)
    assert ((found[1:-1] >= 0) & (found[1:-1] <= 1)).all()


def test_equal_ends_are_a_ghost_only_if_nothing_changes_between() -> None:
    still = np.ones((5, 1, 3, 3))
    assert ghosting(still)[1:-1].tolist() == [1, 1, 1]
    moving = still.copy()
    moving[2] = 0
    assert ghosting(moving)[1:-1].tolist() == [1, 0, 1]

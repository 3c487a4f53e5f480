"""What docs/theory.md claims, held against torch's autograd and cases worked out by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import j0
from torch import Tensor
from torch.autograd.functional import hessian, jacobian

from search.grids.sweep import sweep_names
from tests.theory import examples

THEORY = Path(__file__).parents[2] / "docs" / "theory.md"
FOREIGN = {"remainder", "fmod"}  # functions of others that the text speaks of
POINTS = [-1.3, 0.2, 0.9]


def scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def grad(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of a scalar; `torch.func.grad` is the same and takes seconds to load."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x), x)[0]


def pieces(x: np.ndarray, y: np.ndarray) -> int:
    """Linear pieces of a function sampled at x, where every kink is one of the samples."""
    slopes = np.diff(y) / np.diff(x)
    return 1 + int((np.abs(np.diff(slopes)) > 1e-6).sum())


# Universal approximation and depth


def test_one_hidden_layer_passes_through_any_points() -> None:
    rng = np.random.default_rng(0)
    x, y = np.sort(rng.normal(size=40)), rng.normal(size=40)
    network = examples.interpolate(x, y)
    np.testing.assert_allclose(network(x), y, atol=1e-8)
    middle = (x[:-1] + x[1:]) / 2
    np.testing.assert_allclose(network(middle), (y[:-1] + y[1:]) / 2, atol=1e-8)


@pytest.mark.parametrize("layers", [1, 2, 5, 8])
def test_depth_doubles_the_linear_pieces(layers: int) -> None:
    grid = np.linspace(0, 1, 2 ** (layers + 2) + 1)
    values = examples.sawtooth(grid, layers)
    assert pieces(grid, values) == 2**layers
    knots = np.linspace(0, 1, 2**layers + 1)  # so 2^layers ReLUs in one hidden layer do
    np.testing.assert_allclose(
        examples.interpolate(knots, examples.sawtooth(knots, layers))(grid), values, atol=1e-6
    )


# Convolution


def test_a_convolution_is_a_dense_layer_with_tied_weights() -> None:
    kernel, x = normal(3), normal(10, seed=1)
    matrix = examples.convolution_matrix(kernel.numpy(), 10)
    padded = torch.nn.functional.pad(x[None, None], (1, 1), mode="circular")
    convolved = torch.nn.functional.conv1d(padded, kernel[None, None])[0, 0]
    np.testing.assert_allclose(matrix @ x.numpy(), convolved)
    assert np.count_nonzero(matrix) == 30
    assert len(np.unique(matrix)) == 4, "three weights and 0"


def test_convolution_is_equivariant_not_invariant() -> None:
    x = normal(10, seed=1).numpy()
    matrix = examples.convolution_matrix(normal(3).numpy(), 10)
    of_shifted, of_unshifted = matrix @ np.roll(x, 2), matrix @ x
    np.testing.assert_allclose(of_shifted, np.roll(of_unshifted, 2))
    assert not np.allclose(of_shifted, of_unshifted)
    rectified = [np.maximum(y, 0).mean() for y in (of_shifted, of_unshifted)]
    assert rectified[0] == pytest.approx(rectified[1]), "a mean over positions is invariant"
    dense = normal(10, 10, seed=2).numpy()
    assert not np.allclose(dense @ np.roll(x, 2), np.roll(dense @ x, 2))


# Averages of gradients


@pytest.mark.parametrize("before", [50, 400])
def test_how_long_an_average_points_the_old_way_after_gradients_turn(before: int) -> None:
    gradients = np.concatenate([np.ones(before), -np.ones(2 * before)])
    moving = examples.exponential_average(gradients, 0.9)
    uniform = examples.uniform_average(gradients)
    np.testing.assert_allclose(uniform[-1], gradients.mean())
    assert np.argmax(moving < 0) - before + 1 == math.ceil(math.log(2) / math.log(1 / 0.9)) == 7
    assert np.argmax(uniform < -1e-9) - before + 1 == before + 1


def test_the_mean_of_all_gradients_is_the_less_noisy_average() -> None:
    noise = np.random.default_rng(0).normal(size=(1000, 2000))
    moving = examples.exponential_average(noise, 0.9)[-1].var()
    uniform = examples.uniform_average(noise)[-1].var()
    assert moving == pytest.approx(0.1 / 1.9, rel=0.1)
    assert uniform == pytest.approx(1 / 1000, rel=0.1)


def test_descent_along_the_mean_of_all_gradients_is_slow_without_noise() -> None:
    rate, steps = 0.01, 10_000
    stale = examples.descend_on_parabola(rate, steps, decay=None)
    moving = examples.descend_on_parabola(rate, steps, decay=0.9)
    time = np.arange(steps + 1)
    np.testing.assert_allclose(stale, j0(2 * np.sqrt(rate * time)), atol=0.02)
    envelope = (np.pi**2 * rate * time[-1]) ** -0.25
    assert np.abs(stale[-3000:]).max() == pytest.approx(envelope, rel=0.15)
    assert abs(moving[-1]) < 1e-12


# Reverse mode


def test_rows_of_the_jacobian_and_a_weighted_sum() -> None:
    matrix = normal(4, 3, seed=1)

    def function(x: Tensor) -> Tensor:
        return torch.sin(matrix @ x)

    x, v = normal(3), normal(4, seed=2)
    rows = examples.jacobian_by_rows(function, x)
    torch.testing.assert_close(rows, jacobian(function, x))
    leaf = x.clone().requires_grad_()
    with pytest.raises(RuntimeError, match="scalar"):
        function(leaf).backward()
    function(leaf).backward(v)
    torch.testing.assert_close(leaf.grad, v @ rows)
    torch.testing.assert_close(leaf.grad, grad(lambda at: (v * function(at)).sum(), x))


# Attention


def test_weights_of_both_attentions() -> None:
    n, d = 24, 4
    q, k, v = normal(n, d), normal(n, d, seed=1), normal(n, d, seed=2)
    full, bob = examples.attention_weights(q, k), examples.query_softmax_weights(q, k)
    ones = torch.ones(n, dtype=torch.float64)
    torch.testing.assert_close(full.sum(1), ones)
    assert (full > 0).all()
    assert torch.linalg.matrix_rank(q @ k.T) == d
    assert torch.linalg.matrix_rank(full) > d
    assert torch.linalg.matrix_rank(bob) == d
    assert (bob < 0).any()
    assert not torch.allclose(bob.sum(1), ones)
    output = examples.query_softmax_attention(q, k, v)
    torch.testing.assert_close(output, bob @ v)
    assert not torch.allclose(output, full @ v)
    torch.testing.assert_close((q @ k.T) @ v, q @ (k.T @ v))


def test_a_softmax_of_the_keys_over_tokens_restores_the_row_sums() -> None:
    weights = examples.efficient_weights(normal(24, 4), normal(24, 4, seed=1))
    torch.testing.assert_close(weights.sum(1), torch.ones(24, dtype=torch.float64))
    assert (weights > 0).all()
    assert torch.linalg.matrix_rank(weights) <= 4


def test_with_one_feature_the_proposal_is_blind_to_the_query() -> None:
    q, k, v = normal(6, 1), normal(6, 1, seed=1), normal(6, 1, seed=2)
    output = examples.query_softmax_attention(q, k, v)
    torch.testing.assert_close(output, (k * v).sum().expand(6, 1))
    assert (examples.attention_weights(q, k) @ v).std() > 0.01


# Evidence bounds


@pytest.mark.parametrize("seed", range(5))
def test_a_bound_for_every_q(seed: int) -> None:
    rng = np.random.default_rng(seed)
    joint = rng.uniform(0.01, 1, size=6)
    joint *= rng.uniform(0.1, 0.9) / joint.sum()
    q = rng.dirichlet(np.ones(6))
    bound, gap = examples.bound_and_gap(joint, q)
    assert bound + gap == pytest.approx(np.log(joint.sum()))
    assert gap > 0
    bound, gap = examples.bound_and_gap(joint, joint / joint.sum())
    assert gap == pytest.approx(0, abs=1e-12)


def test_the_last_term_of_a_diffusion_vanishes_with_the_signal() -> None:
    x0 = normal(2, 8)
    kept = 0.3
    by_hand = (kept * x0.square().sum(-1) - 8 * kept - 8 * math.log(1 - kept)) / 2
    torch.testing.assert_close(examples.kl_at_the_end(x0, kept), by_hand.float())
    assert (examples.kl_at_the_end(x0, 1e-6) < 1e-5).all()


# Stationary points


def test_descent_stops_by_tolerance_by_cap_and_on_divergence() -> None:
    scale = np.array([1.0, 10.0])
    start = np.array([3.0, -2.0])

    def gradient(x: np.ndarray) -> np.ndarray:
        return scale * x

    point, steps, met = examples.descend(gradient, start, rate=0.1, tolerance=1e-6)
    assert met
    assert 0 < steps < 10_000
    assert np.linalg.norm(gradient(point)) <= 1e-6
    assert examples.descend(gradient, np.zeros(2), rate=0.1)[1:] == (0, True)
    assert examples.descend(gradient, start, rate=0.1, max_steps=5)[1:] == (5, False)
    with np.errstate(over="ignore", invalid="ignore"):
        _, steps, met = examples.descend(gradient, start, rate=1.0)
    assert not met
    assert steps < 10_000


@pytest.mark.parametrize(
    ("size", "function", "kind"),
    [
        (2, lambda x: x[0] ** 2 + x[0] * x[1] + x[1] ** 2, "minimum"),
        (2, lambda x: torch.cos(x[0]) + torch.cos(x[1]), "maximum"),
        (2, lambda x: x[0] * x[1], "saddle"),
        (3, lambda x: x[0] ** 2 - x[1] ** 2 + x[2] ** 4, "saddle"),
        (2, lambda x: x[0] ** 2 + x[1] ** 4, "inconclusive"),  # a minimum
        (2, lambda x: x[0] ** 2 - x[1] ** 4, "inconclusive"),  # a saddle
        (2, lambda x: -(x[0] ** 4) - x[1] ** 4, "inconclusive"),  # a maximum
    ],
)
def test_stationary_points_by_their_hessian(
    size: int, function: Callable[[Tensor], Tensor], kind: str
) -> None:
    origin = torch.zeros(size, dtype=torch.float64)
    torch.testing.assert_close(grad(function, origin), origin)
    assert examples.classify_stationary_point(hessian(function, origin).numpy()) == kind


def test_taylor_needs_the_half() -> None:
    def function(x: Tensor) -> Tensor:
        return torch.exp(x[0]) * torch.cos(x[1])

    x, direction = normal(2), normal(2, seed=1)
    slope, second = grad(function, x), hessian(function, x)
    curvature = direction @ second @ direction
    remainders, without = [], []
    for size in (1e-2, 1e-3):
        rest = function(x + size * direction) - function(x) - size * slope @ direction
        remainders.append(float((rest - size**2 * curvature / 2).abs() / size**3))
        without.append(float((rest - size**2 * curvature).abs() / size**3))
    assert remainders[1] == pytest.approx(remainders[0], rel=0.1), "of third order"
    assert without[1] == pytest.approx(10 * without[0], rel=0.1), "of second order only"


# Angles


@pytest.mark.parametrize(
    ("one", "other", "degrees"),
    [(2, 360, 2), (360, 2, 2), (359, 1, 2), (10, 350, 20), (0, 180, 180), (45, 45, 0), (725, 5, 0)],
)
def test_the_shorter_way_round(one: float, other: float, degrees: float) -> None:
    assert examples.circular_loss(scalar(one), scalar(other)) == pytest.approx(degrees)
    smooth = examples.smooth_circular_loss(scalar(one), scalar(other))
    assert smooth == pytest.approx(1 - math.cos(math.radians(degrees)))


@pytest.mark.parametrize(("predicted", "slope"), [(2.0, 1.0), (350.0, -1.0), (179.0, 1.0)])
def test_slopes_lead_back_along_the_shorter_way(predicted: float, slope: float) -> None:
    target = scalar(360)
    assert grad(lambda p: examples.circular_loss(p, target), scalar(predicted)) == slope
    smooth = grad(lambda p: examples.smooth_circular_loss(p, target), scalar(predicted))
    expected = math.sin(math.radians(predicted)) * math.pi / 180
    assert float(smooth) == pytest.approx(expected)


# Chain rule


@pytest.mark.parametrize("at", POINTS)
def test_three_arguments(at: float) -> None:
    def f(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return torch.sin(a * b) + c * b**3

    def f_1(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return b * torch.cos(a * b)

    def f_2(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        return a * torch.cos(a * b) + 3 * c * b**2

    x, y, z = scalar(at), scalar(0.4), scalar(-0.7)
    torch.testing.assert_close(
        examples.derivative_of_three_arguments(f_1, f_2, x, y, z),
        grad(lambda s: f(s + y, 2 * s, z), x),
    )


FUNCTIONS = (torch.sin, torch.exp, lambda x: x**3, torch.tanh)
DERIVATIVES = (torch.cos, torch.exp, lambda x: 3 * x**2, lambda x: 1 - torch.tanh(x) ** 2)


@pytest.mark.parametrize("at", POINTS)
def test_composition(at: float) -> None:
    def composed(x: Tensor) -> Tensor:
        for function in reversed(FUNCTIONS):
            x = function(x)
        return x

    torch.testing.assert_close(
        examples.derivative_of_composition(FUNCTIONS, DERIVATIVES, scalar(at)),
        grad(composed, scalar(at)),
    )


@pytest.mark.parametrize("at", POINTS)
def test_nesting(at: float) -> None:
    functions = (lambda x, u: x * u, lambda x, u: torch.sin(x + u**2), lambda x, u: x**2 - u)
    by_first = (lambda x, u: u, lambda x, u: torch.cos(x + u**2), lambda x, u: 2 * x, torch.exp)
    by_second = (
        lambda x, u: x,
        lambda x, u: 2 * u * torch.cos(x + u**2),
        lambda x, u: -torch.ones_like(u),
    )

    def nested(x: Tensor) -> Tensor:
        value = torch.exp(x)
        for function in reversed(functions):
            value = function(x, value)
        return value

    torch.testing.assert_close(
        examples.derivative_of_nesting((*functions, torch.exp), by_first, by_second, scalar(at)),
        grad(nested, scalar(at)),
    )


@pytest.mark.parametrize("at", POINTS)
def test_shifts(at: float) -> None:
    def square(x: Tensor) -> Tensor:
        return x**2

    torch.testing.assert_close(
        examples.derivative_of_shifts(
            torch.cos, torch.exp, torch.exp, square, lambda x: 2 * x, scalar(at)
        ),
        grad(lambda s: torch.sin(s + torch.exp(s + square(s))), scalar(at)),
    )


def test_the_text_names_only_what_there_is() -> None:
    text = re.sub(r"```.*?```", "", THEORY.read_text(encoding="utf-8"), flags=re.DOTALL)
    names = set(re.findall(r"`([a-z]\w*)`", text))
    assert {"test_nesting", "descend", "vae"} <= names, "tests, functions and sweeps are found"
    assert sorted(names - {*globals(), *vars(examples), *sweep_names(), *FOREIGN}) == []

"""Functions that the answers in docs/theory.md point to, in the order in which they are used."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from trainers.losses import kl_to_standard_normal

# Universal approximation and depth (000, question 2)


def interpolate(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A network of one hidden layer with N - 1 ReLUs that passes through N points."""
    # Unit i starts at x[i]; its weight is the change of slope there.
    weights = np.diff(np.diff(y) / np.diff(x), prepend=0.0)

    return lambda at: np.maximum(at[..., None] - x[:-1], 0) @ weights + y[0]


def sawtooth(x: np.ndarray, layers: int) -> np.ndarray:
    """A network of `layers` layers with two ReLUs each: 2^layers linear pieces on [0, 1].

    Every layer is the tent 2 relu(x) - 4 relu(x - 1/2); Telgarsky (2016), "Benefits of depth in
    neural networks". One hidden layer needs 2^layers - 1 ReLUs for the same function.
    """
    for _ in range(layers):
        x = 2 * np.maximum(x, 0) - 4 * np.maximum(x - 0.5, 0)
    return x


# Convolution as a matrix (000, question 3)


def convolution_matrix(kernel: np.ndarray, size: int) -> np.ndarray:
    """The dense layer that equals a convolution: kernel (k,), k odd -> matrix (size, size).

    Cross-correlation as in torch, one channel, circular at the border. Each row holds the same k
    weights, one place further on than the row above; all else is zero.
    """
    row = np.zeros(size)
    row[: len(kernel)] = kernel
    return np.stack([np.roll(row, place - len(kernel) // 2) for place in range(size)])


# Averages of gradients (000, question 4)


def exponential_average(gradients: np.ndarray, decay: float) -> np.ndarray:
    """(T, ...) gradients -> (T, ...) moving averages, corrected for the start at 0 as in Adam."""
    averages, moment = np.empty_like(gradients), np.zeros_like(gradients[0])
    for step, gradient in enumerate(gradients, start=1):
        moment = decay * moment + (1 - decay) * gradient
        averages[step - 1] = moment / (1 - decay**step)
    return averages


def uniform_average(gradients: np.ndarray) -> np.ndarray:
    """(T, ...) gradients -> (T, ...) means of all gradients so far; as cheap as the other."""
    averages, mean = np.empty_like(gradients), np.zeros_like(gradients[0])
    for step, gradient in enumerate(gradients, start=1):
        averages[step - 1] = mean = mean + (gradient - mean) / step
    return averages


def descend_on_parabola(rate: float, steps: int, *, decay: float | None) -> np.ndarray:
    """Descent on x^2 / 2 from 1 along averaged gradients, without noise: (steps + 1,) iterates."""
    iterates = np.empty(steps + 1)
    iterates[0], average = 1.0, 0.0
    for step in range(1, steps + 1):
        weight = 1 / step if decay is None else 1 - decay
        average += weight * (iterates[step - 1] - average)
        iterates[step] = iterates[step - 1] - rate * average
    return iterates


# Reverse mode (000, question 5)


def jacobian_by_rows(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The Jacobian (M, N) of a function from (N,) to (M,), by M backward passes.

    Pass m starts from the m-th unit vector: backward computes v J, never J.
    """
    x = x.detach().requires_grad_()
    y = function(x)
    units = torch.eye(len(y), dtype=y.dtype)
    return torch.stack([torch.autograd.grad(y, x, unit, retain_graph=True)[0] for unit in units])


# Attention weights (000, question 7)


def attention_weights(q: Tensor, k: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d)): queries and keys (n, d) -> (n, n), rows that sum to 1."""
    return torch.softmax(q @ k.T / math.sqrt(q.shape[1]), dim=1)


def query_softmax_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(Q / sqrt(d)) (K^T V), Bob's proposal: (n, d) each -> (n, d), without (n, n)."""
    return torch.softmax(q / math.sqrt(q.shape[1]), dim=1) @ (k.T @ v)


def query_softmax_weights(q: Tensor, k: Tensor) -> Tensor:
    """The pairwise weights (n, n) implied by `query_softmax_attention`, of rank d at most."""
    return torch.softmax(q / math.sqrt(q.shape[1]), dim=1) @ k.T


def efficient_weights(q: Tensor, k: Tensor) -> Tensor:
    """As above with a softmax of each key feature over the tokens: (n, n), rows that sum to 1.

    Shen et al. (2021), "Efficient Attention: Attention with Linear Complexities".
    """
    return torch.softmax(q / math.sqrt(q.shape[1]), dim=1) @ torch.softmax(k, dim=0).T


# Evidence bounds (000, questions 9 and 10)


def bound_and_gap(joint: np.ndarray, q: np.ndarray) -> tuple[float, float]:
    """The evidence bound and KL(q || posterior), in nats; their sum is log p(x) for every q."""
    posterior = joint / joint.sum()
    bound = float((q * np.log(joint / q)).sum())
    return bound, float((q * np.log(q / posterior)).sum())


def kl_at_the_end(x0: Tensor, alpha_bar: float) -> Tensor:
    """KL(q(x_T | x_0) || N(0, I)) of a diffusion, in nats: (..., D) -> (...)."""
    log_variance = torch.full_like(x0, math.log1p(-alpha_bar))
    return kl_to_standard_normal(math.sqrt(alpha_bar) * x0, log_variance)


# Stationary points (002, question 2)


def descend(
    gradient: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    *,
    rate: float,
    tolerance: float = 1e-6,
    max_steps: int = 10_000,
) -> tuple[np.ndarray, int, bool]:
    """Descent until the gradient is no longer than `tolerance`, or `max_steps` are done.

    Returns the last point, the steps taken, and whether the tolerance was met.
    """
    point = np.asarray(start, dtype=np.float64)
    for step in range(max_steps + 1):
        slope = gradient(point)
        length = np.linalg.norm(slope)
        if length <= tolerance:
            return point, step, True
        if step == max_steps or not np.isfinite(length):
            break
        point = point - rate * slope
    return point, step, False


def classify_stationary_point(
    hessian: np.ndarray, *, tolerance: float = 1e-9
) -> Literal["minimum", "maximum", "saddle", "inconclusive"]:
    """Classify a point where the gradient is 0, by its Hessian (N, N)."""
    values = np.linalg.eigvalsh(hessian)
    zero = tolerance * np.abs(values).max()
    if (values > zero).any() and (values < -zero).any():
        return "saddle"
    if (values > zero).all():
        return "minimum"
    if (values < -zero).all():
        return "maximum"
    return "inconclusive"


# Angles (002, question 3)


def angular_difference(predicted: Tensor, target: Tensor) -> Tensor:
    """The signed way from target to prediction, in [-180, 180) degrees; any shapes that match.

    The slope by `predicted` is 1 everywhere but at the jump opposite the target.
    """
    return torch.remainder(predicted - target + 180, 360) - 180


def circular_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean length of the shorter way round, in [0, 180] degrees; angles in degrees, any reals.

    Differentiable but where prediction and target agree or are opposite.
    """
    return angular_difference(predicted, target).abs().mean()


def smooth_circular_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean of 1 - cos of the difference, in [0, 2]; angles in degrees, any reals.

    Differentiable everywhere; its slope also vanishes opposite the target.
    """
    return (1 - torch.cos(torch.deg2rad(predicted - target))).mean()


# Chain rule (002, question 4)

Function = Callable[..., Tensor]


def derivative_of_three_arguments(
    f_1: Function, f_2: Function, x: Tensor, y: Tensor, z: Tensor
) -> Tensor:
    """d/dx f(x + y, 2 x, z), a scalar; f_1, f_2: the derivatives by the first two arguments."""
    at = (x + y, 2 * x, z)
    return f_1(*at) + 2 * f_2(*at)


def derivative_of_composition(
    functions: Sequence[Function], derivatives: Sequence[Function], x: Tensor
) -> Tensor:
    """d/dx f1(f2(... fn(x))), a scalar."""
    total, value = torch.ones_like(x), x
    for function, derivative in zip(reversed(functions), reversed(derivatives), strict=True):
        total, value = derivative(value) * total, function(value)
    return total


def derivative_of_nesting(
    functions: Sequence[Function],
    by_first: Sequence[Function],
    by_second: Sequence[Function],
    x: Tensor,
) -> Tensor:
    """d/dx f1(x, f2(x, ... f(n-1)(x, fn(x)))), a scalar."""
    *outer, innermost = functions
    *first, last = by_first
    total, value = last(x), innermost(x)
    for function, one, other in zip(
        reversed(outer), reversed(first), reversed(by_second), strict=True
    ):
        total, value = one(x, value) + other(x, value) * total, function(x, value)
    return total


def derivative_of_shifts(
    f_prime: Function, g: Function, g_prime: Function, h: Function, h_prime: Function, x: Tensor
) -> Tensor:
    """d/dx f(x + g(x + h(x))), a scalar; the primes are derivatives."""
    inner = x + h(x)
    return f_prime(x + g(inner)) * (1 + g_prime(inner) * (1 + h_prime(x)))

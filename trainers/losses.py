"""The losses. Each takes a batch and returns a scalar, computed in float32.

B batch, V views of an image, P projection, K classes, C H W image.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def bernoulli_nll(output: Tensor, target: Tensor) -> Tensor:
    """(B,) nats, summed over pixels: negative log likelihood of (B, C, H, W) values in [0, 1].

    The grey value is taken as the probability of white (cross-entropy), as is usual for MNIST.
    """
    with torch.autocast(output.device.type, enabled=False):  # CUDA's refuses this loss
        losses = F.binary_cross_entropy(output.float(), target.float(), reduction="none")
    return losses.flatten(1).sum(1)


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(B,) KL(N(mean, diag exp(log_variance)) || N(0, I)) in nats, from two (B, D).

    Kingma and Welling (2014), appendix B; never negative.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)


def classification(
    logits: Tensor, labels: Tensor, *, temperature: float = 1.0, label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy of (B, K) logits divided by `temperature` against (B,) class indices.

    With label smoothing (Szegedy et al., 2016, section 7) the target is
    (1 - e) one-hot + e / K.
    """
    check_temperature(temperature)
    return F.cross_entropy(logits.float() / temperature, labels, label_smoothing=label_smoothing)


def nt_xent(first: Tensor, second: Tensor, *, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy (Chen et al., 2020, SimCLR, eq. 1).

    Row i of `first` and of `second`, each (B, P), are two views of image i: a positive pair.
    The other 2 B - 2 rows are its negatives. No label is used.
    """
    check_temperature(temperature)
    batch = len(first)
    similarity = _cosine_similarity(torch.cat([first, second])) / temperature
    similarity.fill_diagonal_(float("-inf"))
    other_view = torch.arange(2 * batch, device=first.device).roll(batch)
    return F.cross_entropy(similarity, other_view)


def supervised_contrastive(
    first: Tensor, second: Tensor, labels: Tensor, *, temperature: float
) -> Tensor:
    """Supervised contrastive loss, the sum outside the logarithm (Khosla et al., 2020, eq. 2).

    `first` and `second` are (B, P) views of the same images, `labels` is (B,). Every view of
    an image of the same class is a positive; with all labels distinct this is `nt_xent`.
    """
    check_temperature(temperature)
    similarity = _cosine_similarity(torch.cat([first, second])) / temperature
    itself = torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    log_probability = similarity - similarity.masked_fill(itself, float("-inf")).logsumexp(
        1, keepdim=True
    )
    both = labels.repeat(2)
    positive = (both[:, None] == both[None, :]) & ~itself
    return -((log_probability * positive).sum(1) / positive.sum(1)).mean()


def barlow_twins(first: Tensor, second: Tensor, *, redundancy: float = 0.02) -> Tensor:
    """Barlow Twins (Zbontar et al., 2021, eq. 1 and 2), per dimension.

    `first` and `second`, each (B, P), are two views of the same images. In their P x P
    cross-correlation over the batch the diagonal should be 1 (a coordinate says the same of both
    views) and the rest, weighed by `redundancy`, 0 (no two coordinates say the same). The loss
    uses no label, and an image is never another's negative.
    """
    with torch.autocast(first.device.type, enabled=False):
        correlation = _standardised(first).T @ _standardised(second) / len(first)
    apart = correlation - torch.eye(len(correlation), device=correlation.device)
    weights = torch.full_like(apart, redundancy).fill_diagonal_(1)
    return (weights * apart.square()).sum(1).mean()


def align_uniform(first: Tensor, second: Tensor) -> Tensor:
    """Alignment and uniformity on the sphere (Wang and Isola, 2020, section 4.1: alpha 2, t 2).

    `first` and `second`, each (B, P), are two views of the same images. Scaled to length 1, views
    of an image should lie near each other (mean squared distance), and images evenly about
    (log of the mean of exp(-2 squared distance) over pairs of different images, of either side).
    No label is used. It is 0 where all rows are the same, and may be negative.
    """
    first, second = _unit(first), _unit(second)
    apart = (first - second).square().sum(1).mean()
    return apart + (_unevenness(first) + _unevenness(second)) / 2


def _unevenness(unit: Tensor) -> Tensor:
    """(B, P) of length 1, in float32 -> scalar, -8 where a pair lies opposite, 0 where together.

    The squared distance of two of them is 2 - 2 cos.
    """
    with torch.autocast(unit.device.type, enabled=False):
        kernel = 4 * (unit @ unit.T) - 4
    rows = len(unit)
    itself = torch.eye(rows, dtype=torch.bool, device=unit.device)
    return kernel.masked_fill(itself, float("-inf")).logsumexp((0, 1)) - math.log(rows * (rows - 1))


def _standardised(rows: Tensor) -> Tensor:
    """(B, P) -> the same in float32, every column with mean 0 and deviation 1 over the batch."""
    return F.batch_norm(rows.float(), None, None, training=True)


def _cosine_similarity(rows: Tensor) -> Tensor:
    """(N, P) -> (N, N). In float32: at a temperature of 0.05, bfloat16 rounds logits by 0.08."""
    with torch.autocast(rows.device.type, enabled=False):
        unit = _unit(rows)
        return unit @ unit.T


def _unit(rows: Tensor) -> Tensor:
    """(N, P) -> the same in float32, every row of length 1."""
    return F.normalize(rows.float(), dim=1)


def check_temperature(temperature: float) -> None:
    """Raise ValueError unless `temperature` is above 0 (a NaN is not)."""
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, it must be above 0")

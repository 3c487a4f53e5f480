"""Measures of a latent space's structure, from (N, D) latents alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

RIDGE = 0.01  # of the views' mean variance: directions that no view moves in count for little
T = 2.0  # of the uniformity, as Wang and Isola (2020) use it


def normalised(z: np.ndarray) -> np.ndarray:
    """(N, D) -> (N, D) float64 of length 1; a zero vector stays zero."""
    z = np.asarray(z, dtype=np.float64)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    return z / np.where(length > 0, length, 1)


def alignment(first: np.ndarray, second: np.ndarray) -> float:
    """How near two views of an image lie: mean squared distance, in [0, 4]; 0 is perfect.

    Wang and Isola (2020), "Understanding Contrastive Representation Learning through Alignment and
    Uniformity on the Hypersphere", section 4.1, with alpha = 2.

    Args:
        first, second: (N, D) latents of two views of the same N images; normalised here.
    """
    if first.shape != second.shape:
        raise ValueError(f"views of shapes {first.shape} and {second.shape} are of other images")
    return float(((normalised(first) - normalised(second)) ** 2).sum(1).mean())


def pair_distance(z: np.ndarray) -> float:
    """How far two different images lie apart: mean squared distance on the sphere, in [0, 4].

    Hold `alignment` against this distance: it is 2 for latents whose directions average out.

    Args:
        z: (N, D) latents, two or more; normalised here.
    """
    if len(z) < 2:
        raise ValueError(f"{len(z)} latents have no pair")
    unit = normalised(z)
    # Over ordered pairs of different rows: sum |x - y|^2 = 2 N sum |x|^2 - 2 |sum x|^2.
    total = 2 * len(z) * (unit**2).sum() - 2 * (unit.sum(0) ** 2).sum()
    return float(np.clip(total / (len(z) * (len(z) - 1)), 0, 4))


def uniformity(z: np.ndarray, *, t: float = T) -> float:
    """How evenly latents cover the sphere: log of the mean Gaussian potential of all pairs.

    log E exp(-t |x - y|^2) over pairs of different images (Wang and Isola, 2020, section 4.1).
    0 where all latents are one point; lower is more even. Evenly on a sphere of many dimensions it
    is near -2 t.

    Args:
        z: (N, D) latents, two or more; normalised here.
        t: above 0.
    """
    if len(z) < 2:
        raise ValueError(f"{len(z)} latents have no pair")
    unit = normalised(z)
    squared = np.clip(2 - 2 * unit @ unit.T, 0, 4)
    potentials = np.exp(-t * squared[np.triu_indices(len(unit), 1)])
    return float(np.log(potentials.mean()))


def spectrum(z: np.ndarray) -> np.ndarray:
    """(N, D) latents -> (D,) eigenvalues of their covariance, largest first, 0 or more."""
    z = np.asarray(z, dtype=np.float64)
    centred = z - z.mean(0)
    values = np.linalg.eigvalsh(centred.T @ centred / len(z))[::-1]
    return np.asarray(np.clip(values, 0, None))


def effective_rank(z: np.ndarray) -> float:
    """How many directions latents use, in [1, D]: exp of the entropy of the eigenvalues.

    Roy and Vetterli (2007), "The Effective Rank: A Measure of Effective Dimensionality",
    definition 1, of the covariance matrix, whose singular values are its eigenvalues. D where all
    directions are used alike, 1 where all latents lie on a line, 0 where they are one point.

    Args:
        z: (N, D) latents.
    """
    return rank_of(spectrum(z))


def rankme(z: Tensor) -> float:
    """How many directions latents use, their mean included, in [1, D]; 0 where all are zero.

    Exp of the entropy of the singular values: Garrido et al. (2023), "RankMe: Assessing the
    Downstream Performance of Pretrained Self-Supervised Representations by Their Rank", equation 1.

    Args:
        z: (N, D) latents, on any device; it is measured there.
    """
    z = z.double()
    values = torch.linalg.eigvalsh(z.T @ z).clamp(min=0).sqrt()
    shares = values / values.sum().clamp(min=torch.finfo(z.dtype).tiny)
    entropy = torch.special.entr(shares).sum()
    return float((entropy.exp() * (values.sum() > 0)).item())


def view_information(views: Tensor) -> float:
    """How much one view's latent tells of which image it shows, in nats; 0: nothing.

    The mutual information of a latent and its image, (log det T - log det W) / 2, if latents are
    distributed normally: T is their covariance, W that of the views of one image around their mean,
    both with `RIDGE` of W's mean variance on the diagonal. LiDAR (Thilak et al., 2024, "LiDAR:
    Sensing Linear Probing Performance in Joint Embedding SSL Architectures") takes the rank of the
    same two scatters.

    Args:
        views: (V, N, D) latents of V views of each of N images, on any device.
    """
    views = views.double()
    around_all = (views - views.mean((0, 1))).flatten(0, 1)
    around_own = (views - views.mean(0)).flatten(0, 1)
    total, within = (z.T @ z / len(z) for z in (around_all, around_own))
    least = torch.finfo(views.dtype).tiny
    ridge = (RIDGE * within.diagonal().mean()).clamp(min=least) * torch.eye(
        len(within), dtype=views.dtype, device=views.device
    )
    return float((torch.logdet(total + ridge) - torch.logdet(within + ridge)).item()) / 2


def rank_of(values: np.ndarray) -> float:
    """(D,) values, 0 or more -> exp of the entropy of their shares."""
    total = values.sum()
    if total <= 0:
        return 0.0
    shares = values / total
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def correlation(z: np.ndarray) -> float:
    """Mean absolute correlation between two different coordinates, in [0, 1].

    (N, D) latents, D two or more; coordinates that never vary are left out. Independent coordinates
    still show about 0.8 / sqrt(N).
    """
    z = np.asarray(z, dtype=np.float64)
    centred = z - z.mean(0)
    spread = np.sqrt((centred**2).mean(0))
    varying = spread > 1e-12 * max(1.0, spread.max(initial=0.0))
    if varying.sum() < 2:
        return 0.0
    scaled = centred[:, varying] / spread[varying]
    matrix = np.abs(scaled.T @ scaled / len(z))
    return float(matrix[np.triu_indices(len(matrix), 1)].mean())

"""Classifiers from a few labelled images: on a frozen encoder, or with the encoder trained too.

All of them have the same small head on standardised latents, see only the labelled images and
choose nothing: the number of steps and the rates are fixed (found on validation images).
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

HIDDEN = 64
HEAD_STEPS, HEAD_RATE, HEAD_DECAY = 150, 1e-2, 3.0
NETWORK_STEPS, NETWORK_DECAY = 80, 0.05
TUNING_RATE, SCRATCH_RATE = 3e-4, 3e-3  # of the encoder, with and without pretraining
BATCH_SIZE = 64
PASS = 1000  # images at a time when nothing is trained


def draw_balanced(labels: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Rows of `count` random images, equally many of each class.

    Args:
        labels: (N,) classes.
        count: a multiple of the number of classes.

    Returns:
        (count,) rows.

    Raises:
        ValueError: `count` is not a multiple, or a class has too few images.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    each, rest = divmod(count, len(classes))
    if rest or each < 1:
        raise ValueError(f"{count} labels cannot be balanced over {len(classes)} classes")
    if sizes.min() < each:
        raise ValueError(f"{each} images of each class are needed, one class has {sizes.min()}")
    rng = np.random.default_rng(seed)
    rows = [rng.choice(np.flatnonzero(labels == one), each, replace=False) for one in classes]
    return rng.permutation(np.concatenate(rows))


class Heads(nn.Module):
    """R independent heads at once: (R, B, D) standardised latents -> (R, B, K) logits.

    One hidden layer of 64, ReLU.
    """

    def __init__(self, *, count: int, latent_dim: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Parameter(
            torch.randn(count, latent_dim, HIDDEN) * math.sqrt(2 / latent_dim)
        )
        self.hidden_bias = nn.Parameter(torch.zeros(count, 1, HIDDEN))
        self.output = nn.Parameter(torch.randn(count, HIDDEN, classes) * 0.01)
        self.output_bias = nn.Parameter(torch.zeros(count, 1, classes))

    def forward(self, latents: Tensor) -> Tensor:
        """(R, B, D) -> (R, B, K)."""
        features = torch.relu(torch.baddbmm(self.hidden_bias, latents, self.hidden))
        return torch.baddbmm(self.output_bias, features, self.output)


def fit_heads(latents: Tensor, labels: Tensor, *, classes: int, seed: int) -> Heads:
    """Train R heads on frozen latents, all rows in every step.

    Args:
        latents: (R, N, D) float32, standardised.
        labels: (R, N).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        heads = Heads(count=len(latents), latent_dim=latents.shape[2], classes=classes)
    heads = heads.to(latents.device)
    optimizer = torch.optim.AdamW(heads.parameters(), lr=HEAD_RATE, weight_decay=HEAD_DECAY)
    for step in range(HEAD_STEPS):
        optimizer.param_groups[0]["lr"] = HEAD_RATE * (1 - step / HEAD_STEPS)
        losses = F.cross_entropy(heads(latents).flatten(0, 1), labels.flatten(), reduction="none")
        # The sum over heads: none of them sees the others' gradients.
        (losses.sum() / latents.shape[1]).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return heads.eval()


class Network(nn.Module):
    """An encoder and one head: (B, C, H, W) in [0, 1] -> (B, K) logits.

    Args:
        encoder: (B, C, H, W) -> (B, D); trained in place.
        mean, spread: (D,) that its latents are standardised with at the start.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, encoder: nn.Module, *, classes: int, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.head = Heads(count=1, latent_dim=len(mean), classes=classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K)."""
        latents = (self.encoder(images) - self.mean) / self.spread
        logits: Tensor = self.head(latents.unsqueeze(0))[0]
        return logits


def fit_network(
    network: Network, images: Tensor, labels: Tensor, *, rate: float, seed: int
) -> Network:
    """Train encoder and head together, in place.

    Args:
        rate: of the encoder's learning at the start.
        images: (N, C, H, W) uint8.
        labels: (N,).
    """
    generator = torch.Generator(images.device).manual_seed(seed)
    scaled = images.float() / 255
    batch_size = min(BATCH_SIZE, len(images))
    optimizer = torch.optim.AdamW(
        [
            {"params": network.encoder.parameters(), "lr": rate},
            {"params": network.head.parameters(), "lr": HEAD_RATE},
        ],
        weight_decay=NETWORK_DECAY,
    )
    peaks = [group["lr"] for group in optimizer.param_groups]
    network.train()
    order = torch.empty(0, dtype=torch.long, device=images.device)
    for step in range(NETWORK_STEPS):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * (1 - step / NETWORK_STEPS)
        if len(order) < batch_size:
            order = torch.randperm(len(images), generator=generator, device=images.device)
        rows, order = order[:batch_size], order[batch_size:]
        F.cross_entropy(network(scaled[rows]), labels[rows]).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return network.eval()


@torch.no_grad()
def network_accuracy(network: Network, images: Tensor, labels: Tensor) -> float:
    """Share of (N, C, H, W) uint8 images that it classifies rightly, in [0, 1]."""
    hits = [
        network(part.float() / 255).argmax(1) == truth
        for part, truth in zip(images.split(PASS), labels.split(PASS), strict=True)
    ]
    return torch.cat(hits).double().mean().item()


@torch.no_grad()
def head_accuracies(heads: Heads, latents: Tensor, labels: Tensor) -> list[float]:
    """Each head's share of (N, D) latents that it classifies rightly, in [0, 1]."""
    every = latents.expand(len(heads.hidden), *latents.shape)
    hits = heads(every).argmax(2) == labels
    return [float(value) for value in hits.double().mean(1)]

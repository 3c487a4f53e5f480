"""The geometry of latents: the measures of an encoder, trained and untrained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from analysis.records import Findings, PipelineRecord, applied, scaled
from analysis.tsne.separation import choose, digest
from search.spaces.rebuild import untrained
from trainers.augmentation import augmentation_for
from trainers.measures.structure import (
    alignment,
    correlation,
    pair_distance,
    rank_of,
    spectrum,
    uniformity,
)

STRENGTH = 0.5  # of the views: what is usual for CIFAR-10 (trainers/augmentation/policies.py)
SETTLING = 2000  # training images that an untrained encoder's normalisation is measured on
BATCH = 500


@dataclass(frozen=True, kw_only=True)
class Structure:
    """The structure of N latents.

    Attributes:
        alignment: mean squared distance of two views of an image on the sphere, in [0, 4].
        apart: mean squared distance of two different images on the sphere, in [0, 4].
        uniformity: log mean Gaussian potential of pairs, 0 or less.
        spectrum: (D,) eigenvalues of the covariance, largest first, 0 or more.
        rank: effective rank, in [0, D].
        correlation: mean absolute correlation between coordinates, in [0, 1].
        count: N.
    """

    alignment: float
    apart: float
    uniformity: float
    spectrum: np.ndarray
    rank: float
    correlation: float
    count: int

    @property
    def closeness(self) -> float:
        """Distance of two views over that of two different images; 0 where all is one point."""
        return self.alignment / self.apart if self.apart else 0.0


def measure(z: np.ndarray, first: np.ndarray, second: np.ndarray) -> Structure:
    """The structure of latents.

    Args:
        z: (N, D) latents of images.
        first, second: (M, D) latents of two views of M images.
    """
    values = spectrum(z)
    return Structure(
        alignment=alignment(first, second),
        apart=pair_distance(z),
        uniformity=uniformity(z),
        spectrum=values,
        rank=rank_of(values),
        correlation=correlation(z),
        count=len(z),
    )


def two_views(
    images: np.ndarray, *, digits: bool, seed: int = 0, strength: float = STRENGTH
) -> tuple[np.ndarray, np.ndarray]:
    """Two random views of each image, by the policy that training uses.

    Args:
        images: (N, C, H, W) uint8.
        digits: whether left and right carry meaning: neither mirrored nor recoloured then.
        seed: the same views for the same seed.
        strength: in [0, 1]; 0 gives the images themselves.

    Returns:
        Two (N, C, H, W) float32 in [0, 1].
    """
    augmentation = augmentation_for(digits=digits, strength=strength)
    generator = torch.Generator().manual_seed(seed)
    views: tuple[list[Tensor], list[Tensor]] = ([], [])
    for batch in torch.from_numpy(images).split(BATCH):
        scaled = batch.float() / 255
        for batches in views:
            batches.append(augmentation(scaled, generator))
    first, second = (torch.cat(batches).numpy() for batches in views)
    return first, second


def untrained_encoder(record: PipelineRecord, *, seed: int = 0) -> nn.Module:
    """The pipeline's encoder before training: the same architecture, fresh weights.

    Its normalisation layers have seen the first training images, as they would in the first steps
    of training; no weight has learned anything. (B, C, H, W) in [0, 1] -> (B, D).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder: nn.Module = untrained(record.info).encoder  # type: ignore[assignment]
    for layer in encoder.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = None  # a plain average over what is seen
            layer.train()
        elif isinstance(layer, nn.Dropout):
            layer.eval()
    images = torch.from_numpy(record.data.train.images[:SETTLING])
    with torch.no_grad():
        for batch in images.split(BATCH):
            if len(batch) > 1:
                encoder(batch.float() / 255)
    return encoder.eval()


def compute_structures(findings: Findings) -> dict[str, tuple[Structure, Structure]]:
    """Pipeline -> its latent space before and after training, on the same images and views."""
    return {name: _both(record, findings) for name, record in findings.records.items()}


def _both(record: PipelineRecord, findings: Findings) -> tuple[Structure, Structure]:
    rows = choose(record.images.labels, findings.points, seed=findings.seed)
    images = record.images.images[rows]
    key = {
        "weights": record.weights,
        "images": digest(images),
        "info": {name: record.info[name] for name in ("kind", "pipeline", "params")},
        "train": [record.data.fingerprint, len(record.data.train), SETTLING],
        "seed": findings.seed,
        "strength": STRENGTH,
        "torch": torch.__version__,
    }

    def kept(trained: bool) -> Structure:
        def compute() -> Structure:
            views = two_views(images, digits=record.data.spec.glyphs, seed=findings.seed)
            encoder = record.model.encoder
            if not trained:
                encoder = untrained_encoder(record, seed=findings.seed)
            return measure(*(applied(encoder, scaled(part)) for part in (images, *views)))

        asked = {**key, "trained": trained}
        return findings.cache.get("structure", asked, compute, kind=Structure)

    return kept(False), kept(True)

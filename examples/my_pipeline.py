"""A method that is not built in: VICReg (Bardes et al., 2022) on CIFAR-10 or images of your own.

    latent-search tune --pipeline examples/my_pipeline.py --check
    latent-search tune --pipeline examples/my_pipeline.py --data folder:flowers --trials 20

Two views of an image shall have one latent vector. That all images have the same one is prevented:
each number behind the projection shall have a spread of 1, and no two of them be correlated.
"""

import torch
import torch.nn.functional as F
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from torch import Tensor, nn

from search.spaces import builders
from search.spaces.pipeline import LATENT_DIM, Params, Pipeline
from search.spaces.space import parameters
from trainers.data import DatasetSpec


class VICReg(nn.Module):
    """Variance, invariance and covariance of two views' projections (their equations 1 to 6)."""

    uses_labels = False
    decoder = None
    classifier = None  # the protocol's is trained on the frozen latents

    def __init__(self, params: Params, spec: DatasetSpec) -> None:
        super().__init__()
        units = params["expander"]
        self.encoder = builders.encoder(params, spec)
        self.projection = nn.Sequential(  # serves the loss only; a network of this name is not kept
            nn.Linear(LATENT_DIM, units), nn.BatchNorm1d(units), nn.ReLU(), nn.Linear(units, units)
        )
        self.augmentation = builders.augmentation(params, spec)
        self.variance_weight = params["variance_weight"]

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) -> scalar; labels are not looked at."""
        views = self.augmentation(torch.cat([images, images]), generator)
        both = self.projection(self.encoder(views)).float()
        first, second = both.chunk(2)
        spread = sum(
            F.relu(1 - (z.var(0) + 1e-4).sqrt()).mean() + _covariance(z) / self.variance_weight
            for z in (first, second)
        )
        return F.mse_loss(first, second) * 25 + self.variance_weight * spread


def _covariance(z: Tensor) -> Tensor:
    """Mean squared covariance of two different numbers, times their count: (B, P) -> scalar."""
    centred = z - z.mean(0)
    squared = (centred.T @ centred / (len(z) - 1)).square()
    return (squared.sum() - squared.diagonal().sum()) / z.shape[1]


PIPELINE = Pipeline(
    summary="VICReg: two views agree, numbers spread and decorrelate; no labels",
    reasoning="""VICReg needs neither negatives nor a temperature, so that small batches serve it as
well as large ones. Its weights of invariance and variance are 25 in the paper; the second is
searched around that, since latents of 128 numbers may collapse sooner than those of a ResNet.""",
    dataset="",
    uses_labels=False,
    **parameters(
        width=(IntDistribution(16, 48, step=16), 32),
        depth=(IntDistribution(3, 4), 3),
        expander=(CategoricalDistribution([256, 512, 1024]), 512),
        variance_weight=(FloatDistribution(5.0, 50.0, log=True), 25.0),
        lr=(FloatDistribution(5e-4, 1e-2, log=True), 2e-3),
        weight_decay=(FloatDistribution(1e-4, 1e-1, log=True), 1e-2),
        batch_size=(CategoricalDistribution([128, 256]), 256),
        warmup=(FloatDistribution(0.0, 0.3), 0.1),
        augment_strength=(FloatDistribution(0.1, 1.0), 0.4),
    ),
    build=VICReg,
    epochs=9,
)

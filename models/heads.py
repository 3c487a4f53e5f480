"""Heads on a latent vector: classifier, linear head, projection head."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from models.layers import at_least_one, initialise

# Units of the hidden layers. Part of the protocol: the same for every pipeline, never searched.
CLASSIFIER_HIDDEN = (512,)


class Classifier(nn.Module):
    """The one classifier of every pipeline: (B, D) latents -> (B, K) logits.

    Standardise, hidden layers, ReLU. The first layer has no learned scale: on a frozen
    encoder it is the usual standardisation of features, so that pipelines whose latents
    differ in scale meet the same classifier.

    Args:
        hidden: units of the hidden layers, other than the protocol's for models stored before it
            was changed.
    """

    def __init__(
        self, *, latent_dim: int, classes: int, hidden: Sequence[int] = CLASSIFIER_HIDDEN
    ) -> None:
        super().__init__()
        at_least_one(latent_dim=latent_dim, classes=classes)
        layers: list[nn.Module] = [nn.BatchNorm1d(latent_dim, affine=False)]
        for incoming, units in pairwise((latent_dim, *hidden)):
            layers += [nn.Linear(incoming, units), nn.ReLU(inplace=True)]
        to_logits = nn.Linear((latent_dim, *hidden)[-1], classes)
        self.layers = nn.Sequential(*layers, to_logits)
        initialise(self)
        # Small first logits: training starts from the uniform prediction, loss log K.
        nn.init.normal_(to_logits.weight, std=0.01)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, D) -> (B, K)."""
        return self.layers(latents)


class LinearHead(nn.Linear):
    """(B, D) latents -> (B, K) logits, started at zero, from where softmax regression is convex."""

    def __init__(self, *, latent_dim: int, classes: int) -> None:
        at_least_one(latent_dim=latent_dim, classes=classes)
        super().__init__(latent_dim, classes)

    def reset_parameters(self) -> None:
        """Zeros, and no draw from the global generator, which belongs to the training."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class ProjectionHead(nn.Module):
    """(B, D) latents -> (B, P), where the contrastive loss is taken; thrown away afterwards.

    One hidden layer with batch normalisation (Chen et al., 2020, section 4.2 and appendix B.5).
    """

    def __init__(self, *, latent_dim: int, hidden_dim: int = 512, output_dim: int = 128) -> None:
        super().__init__()
        at_least_one(latent_dim=latent_dim, hidden_dim=hidden_dim, output_dim=output_dim)
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, hidden_dim, bias=False),
            nn.BatchNorm1d(hidden_dim),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_dim, output_dim),
        )
        initialise(self)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, D) -> (B, P)."""
        return self.layers(latents)

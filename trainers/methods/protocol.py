"""The protocol of a method, for the training loop and the evaluation."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class Method(Protocol):
    """An `nn.Module` with an encoder and a loss. A decoder or a classifier are optional.

    Attributes:
        encoder: (B, C, H, W) float in [0, 1] -> (B, D).
        decoder: (B, D) -> (B, C, H, W) in [0, 1], or None.
        classifier: (B, D) -> (B, K) trained jointly with the encoder, or None where the
            classifier is trained afterwards on the frozen encoder's latents.
        uses_labels: whether `loss` looks at the labels; declared in every table.
    """

    @property
    def encoder(self) -> nn.Module: ...

    @property
    def decoder(self) -> nn.Module | None: ...

    @property
    def classifier(self) -> nn.Module | None: ...

    @property
    def uses_labels(self) -> bool: ...

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """(B, C, H, W) in [0, 1] and (B,) int64 -> scalar.

        All randomness of the views comes from `generator`, which lives on the images' device.
        """
        ...

"""The optimizer and the course of its learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

from trainers.averaged_adam import Average, AveragingAdamW
from trainers.muon import Muon

OptimizerName = Literal["adamw", "sgd", "muon"]
Decay = Literal["cosine", "linear"]


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How the weights are moved.

    Attributes:
        optimizer: `adamw` (Loshchilov and Hutter, 2019), `sgd` with Nesterov momentum 0.9, or
            `muon` for the kernels of convolutions and `adamw` for all else (see `muon.py`).
        lr: peak learning rate, per step, reached at the end of the warm-up.
        weight_decay: shrinkage of the weights per step and unit of learning rate, decoupled
            from the gradient; norms and biases are not decayed.
        batch_size: images per step (an image counts once however many views it has).
        warmup: fraction of all steps over which the rate rises linearly, in [0, 1).
        decay: how the rate falls to zero after the warm-up.
        clip_norm: gradients longer than this are shortened to it; 0 leaves them alone.
        first_moment, second_moment: how `adamw` averages gradients and their squares. Its own way
            is `exponential`; `plain` counts all steps alike, for comparison.
    """

    optimizer: OptimizerName = "adamw"
    lr: float = 2e-3
    weight_decay: float = 1e-2
    batch_size: int = 256
    warmup: float = 0.1
    decay: Decay = "cosine"
    clip_norm: float = 5.0
    first_moment: Average = "exponential"
    second_moment: Average = "exponential"

    def __post_init__(self) -> None:
        averages = get_args(Average) if self.optimizer == "adamw" else ("exponential",)
        checks = {
            "optimizer": (self.optimizer in get_args(OptimizerName), get_args(OptimizerName)),
            "lr": (self.lr > 0, "above 0"),
            "weight_decay": (self.weight_decay >= 0, "at least 0"),
            "batch_size": (self.batch_size >= 2, "at least 2"),
            "warmup": (0 <= self.warmup < 1, "in [0, 1)"),
            "decay": (self.decay in get_args(Decay), get_args(Decay)),
            "clip_norm": (self.clip_norm >= 0, "at least 0"),
            "first_moment": (self.first_moment in averages, averages),
            "second_moment": (self.second_moment in averages, averages),
        }
        for name, (good, allowed) in checks.items():
            if not good:
                raise ValueError(f"{name} is {getattr(self, name)!r}, allowed: {allowed}")

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step 0, 1, ..., steps - 1."""
        warm = round(self.warmup * steps)
        if step < warm:
            return self.lr * (step + 1) / warm
        done = (step - warm) / max(1, steps - warm)
        if self.decay == "linear":
            return self.lr * (1 - done)
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))


def build_optimizer(module: nn.Module, settings: Optimisation) -> torch.optim.Optimizer:
    """The optimizer over all trainable parameters of `module`."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    # Matrices and kernels have two dimensions or more; norms' scales and all biases have one.
    groups = [
        {
            "params": [p for p in parameters if p.ndim > 1],
            "weight_decay": settings.weight_decay,
        },
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return _DecoupledSGD(groups, lr=settings.lr, momentum=0.9, nesterov=True, fused=True)
    if settings.optimizer == "muon":
        kernels = [p for p in parameters if p.ndim == 4]
        groups[0]["params"] = [p for p in parameters if p.ndim in (2, 3)]
        groups.append(
            {"params": kernels, "weight_decay": settings.weight_decay, "orthogonal": True}
        )
        return Muon([group for group in groups if group["params"]], lr=settings.lr)
    first, second = settings.first_moment, settings.second_moment
    if (first, second) == ("exponential", "exponential"):
        return torch.optim.AdamW(groups, lr=settings.lr, fused=True)
    return AveragingAdamW(groups, lr=settings.lr, first=first, second=second)


class _DecoupledSGD(torch.optim.SGD):
    """SGDW (Loshchilov and Hutter, 2019, algorithm 1): decay outside of the momentum."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Shrink the weights, then step as torch does with no decay of its own."""
        decays = [group["weight_decay"] for group in self.param_groups]
        for group in self.param_groups:
            if group["weight_decay"]:
                torch._foreach_mul_(group["params"], 1 - group["lr"] * group["weight_decay"])
            group["weight_decay"] = 0.0
        try:
            super().step()
        finally:
            for group, decay in zip(self.param_groups, decays, strict=True):
                group["weight_decay"] = decay

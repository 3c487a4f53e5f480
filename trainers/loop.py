"""The one training loop. It yields after each epoch; the caller records, reports and stops."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from trainers.data import LabelledImages
from trainers.methods import Method
from trainers.optimisation import Optimisation, build_optimizer
from trainers.precision import DTYPES, Precision, autocast


@dataclass(frozen=True, kw_only=True)
class DeviceImages:
    """Images and labels where the training happens.

    Attributes:
        images: (N, C, H, W) uint8, on the device.
        labels: (N,) int64, on the device.
    """

    images: Tensor
    labels: Tensor

    @classmethod
    def load(cls, data: LabelledImages, device: torch.device) -> DeviceImages:
        """Move `data` to `device`; on a CPU the tensors are views of the same memory."""
        return cls(images=_tensor(data.images).to(device), labels=_tensor(data.labels).to(device))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """What an epoch was.

    Attributes:
        epoch: 1 for the first.
        loss: mean training loss over the epoch's steps.
        lr: learning rate of the last step.
        seconds: wall time of the epoch, without evaluation.
        images_per_second: training images, each counted once however many views it had.
    """

    epoch: int
    loss: float
    lr: float
    seconds: float
    images_per_second: float


class NonFiniteLoss(ArithmeticError):
    """The loss became NaN or infinite."""

    def __init__(self, *, step: int, value: float) -> None:
        super().__init__(f"loss is {value} at step {step}")
        self.step = step
        self.value = value


def fit(
    method: Method,
    data: DeviceImages,
    settings: Optimisation,
    *,
    epochs: int,
    seed: int,
    precision: Precision = "float32",
) -> Iterator[EpochResult]:
    """Train `method` on `data`, which is on its device; yield after each epoch.

    Order, views and dropout follow from `seed`. Nothing is read from the device inside an
    epoch. The last, smaller batch of an epoch is left out (another order brings its images in).

    Raises:
        ValueError: the batch is larger than the data.
        NonFiniteLoss: at the end of the epoch in which the loss stopped being a number.
    """
    assert isinstance(method, nn.Module)
    steps_per_epoch = len(data) // settings.batch_size
    if steps_per_epoch == 0:
        raise ValueError(f"batch_size is {settings.batch_size}, the data has {len(data)} images")
    device = data.images.device
    dtype = DTYPES[precision]
    total = epochs * steps_per_epoch
    optimizer = build_optimizer(method, settings)
    generator = torch.Generator(device).manual_seed(seed)
    torch.manual_seed(seed)  # dropout draws from the global generator
    parameters = [p for p in method.parameters() if p.requires_grad]
    for epoch in range(epochs):
        start = time.perf_counter()
        method.train()
        losses = torch.zeros(steps_per_epoch, device=device)
        order = torch.randperm(len(data), generator=generator, device=device)
        for step in range(steps_per_epoch):
            rate = settings.rate(epoch * steps_per_epoch + step, total)
            for group in optimizer.param_groups:
                group["lr"] = rate
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            images = data.images[rows].to(dtype).div_(255)
            with autocast(precision, device):
                loss = method.loss(images, data.labels[rows], generator)
            loss.backward()
            if settings.clip_norm:
                nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            losses[step] = loss.detach()
        _check_finite(losses, first_step=epoch * steps_per_epoch)
        seconds = time.perf_counter() - start
        yield EpochResult(
            epoch=epoch + 1,
            loss=losses.mean().item(),
            lr=rate,
            seconds=seconds,
            images_per_second=steps_per_epoch * settings.batch_size / seconds,
        )


def _check_finite(losses: Tensor, *, first_step: int) -> None:
    values = losses.tolist()
    for step, value in enumerate(values):
        if not math.isfinite(value):
            raise NonFiniteLoss(step=first_step + step, value=value)


def _tensor(array: np.ndarray) -> Tensor:
    # torch warns that a read-only array (shared memory) becomes a tensor that could be written
    # to; nothing here writes.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)

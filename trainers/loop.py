"""The one training loop. It yields after each epoch; the caller records, reports, stops, keeps."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import PatchWhitening
from trainers.data import LabelledImages
from trainers.methods import Method
from trainers.optimisation import Optimisation, build_optimizer
from trainers.precision import DTYPES, Precision, autocast

STEM_IMAGES = 2000  # hundreds of thousands of patches: their covariance is known to a percent


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

    def first(self, count: int) -> DeviceImages:
        """The first `count` of them, without a copy."""
        return DeviceImages(images=self.images[:count], labels=self.labels[:count])


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """The figures of an epoch.

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


class Training(Iterator[EpochResult]):
    """A training under way: each `next` trains an epoch.

    Order, views and dropout follow from `seed`. Nothing is read from the device inside an
    epoch. The last, smaller batch of an epoch is left out (another order brings its images in).

    Between two epochs `state_dict` is all that the further course follows from. A training of the
    same method, data, settings and precision that loads it goes on to the last digit as this one
    does, on the same device with as many threads.

    Args:
        method: what is trained, on the device of `data`.
        data: all of the training images.
        settings: of the optimizer.
        epochs: the full budget, which the course of the learning rate follows from.
        seed: of everything random.
        precision: number format of the products.

    Raises:
        ValueError: the batch is larger than the data.
        NonFiniteLoss: from `next`, at the end of the epoch in which the loss stopped being a
            number.
    """

    def __init__(
        self,
        method: Method,
        data: DeviceImages,
        settings: Optimisation,
        *,
        epochs: int,
        seed: int,
        precision: Precision = "float32",
    ) -> None:
        assert isinstance(method, nn.Module)
        self._method = method
        self._data = data
        self._settings = settings
        self._epochs = epochs
        self._precision = precision
        self._steps = len(data) // settings.batch_size  # of an epoch
        if self._steps == 0:
            raise ValueError(
                f"batch_size is {settings.batch_size}, the data has {len(data)} images"
            )
        self._optimizer = build_optimizer(method, settings)
        self._parameters = [p for p in method.parameters() if p.requires_grad]
        self._generator = torch.Generator(data.images.device).manual_seed(seed)
        fit_stems(method, data)
        self._done = 0
        self._over = False
        torch.manual_seed(seed)  # dropout draws from the global generator

    def __next__(self) -> EpochResult:
        """Train one epoch."""
        if self._over or self._done >= self._epochs:
            raise StopIteration
        start = time.perf_counter()
        first = self._done * self._steps
        losses, rate = self._epoch(first)
        self._over = True  # unless the loss is a number
        _check_finite(losses, first_step=first)
        self._over = False
        self._done += 1
        seconds = time.perf_counter() - start
        return EpochResult(
            epoch=self._done,
            loss=losses.mean().item(),
            lr=rate,
            seconds=seconds,
            images_per_second=self._steps * self._settings.batch_size / seconds,
        )

    def close(self) -> None:
        """Abandon it: there are no further epochs."""
        self._over = True

    def _epoch(self, first_step: int) -> tuple[Tensor, float]:
        """The losses of its steps, and the last learning rate."""
        data, settings, device = self._data, self._settings, self._data.images.device
        self._method.train()
        losses = torch.zeros(self._steps, device=device)
        order = torch.randperm(len(data), generator=self._generator, device=device)
        for step in range(self._steps):
            rate = settings.rate(first_step + step, self._epochs * self._steps)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            rows = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            images = data.images[rows].to(DTYPES[self._precision]).div_(255)
            with autocast(self._precision, device):
                loss = self._method.loss(images, data.labels[rows], self._generator)
            loss.backward()
            if settings.clip_norm:
                nn.utils.clip_grad_norm_(self._parameters, settings.clip_norm)
            self._optimizer.step()
            self._optimizer.zero_grad(set_to_none=True)
            losses[step] = loss.detach()
        return losses, rate

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values alone, which `torch.load(weights_only=True)` reads.

        They are the training's own and change with the next epoch: write or copy them at once.
        """
        state = {
            "epoch": self._done,
            "method": _tensors(self._method),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "torch": torch.get_rng_state(),
        }
        if self._data.images.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self._data.images.device)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where the training stood that `state` is of.

        Raises:
            ValueError: it is of another method. Then nothing has changed.
        """
        mine, theirs = _tensors(self._method), state["method"]
        if {n: t.shape for n, t in mine.items()} != {n: t.shape for n, t in theirs.items()}:
            raise ValueError("the state is of another method")
        with torch.no_grad():
            for name, tensor in mine.items():
                tensor.copy_(theirs[name])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
        torch.set_rng_state(state["torch"].cpu())
        if "cuda" in state and self._data.images.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"].cpu(), self._data.images.device)
        self._done = int(state["epoch"])


def fit(
    method: Method,
    data: DeviceImages,
    settings: Optimisation,
    *,
    epochs: int,
    seed: int,
    precision: Precision = "float32",
) -> Training:
    """Begin to train `method` on `data`, which is on its device; see `Training`."""
    return Training(method, data, settings, epochs=epochs, seed=seed, precision=precision)


def fit_stems(module: nn.Module, data: DeviceImages) -> None:
    """Set what `module` takes from its training images before the first step: whitening filters."""
    for part in module.modules():
        if isinstance(part, PatchWhitening):
            part.fit(data.first(STEM_IMAGES).images.float() / 255)


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers, those too that are not stored with a model (a step counter)."""
    return {
        name: tensor.detach()
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    }


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

"""The one training loop. It yields after each epoch; the caller records, reports, stops, keeps."""

from __future__ import annotations

import logging
import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import PatchWhitening
from trainers import recording
from trainers.averaged_adam import AveragingAdamW
from trainers.data import LabelledImages
from trainers.methods import Method
from trainers.optimisation import Optimisation, build_optimizer
from trainers.precision import DTYPES, Precision, autocast, choose_repeatable_kernels
from trainers.recording import Recorded

log = logging.getLogger(__name__)

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


class Step:
    """One step of a training: draw the views, differentiate the loss, move the weights.

    All that changes from one to the next is a tensor on the device, at a fixed address, so that
    `run` can be recorded once and replayed.

    Attributes:
        losses: (steps,) of the epoch so far.
    """

    def __init__(
        self,
        method: Method,
        data: DeviceImages,
        settings: Optimisation,
        *,
        generator: torch.Generator,
        precision: Precision,
    ) -> None:
        assert isinstance(method, nn.Module)
        device = data.images.device
        self.steps = len(data) // settings.batch_size  # of an epoch
        self.losses = torch.zeros(self.steps, device=device)
        self._method, self._data, self._settings = method, data, settings
        self._generator, self._precision = generator, precision
        self._parameters = [p for p in method.parameters() if p.requires_grad]
        self._order = torch.zeros(len(data), dtype=torch.int64, device=device)
        self._batches = self._order[: self.steps * settings.batch_size].view(self.steps, -1)
        self._at = torch.zeros(1, dtype=torch.int64, device=device)
        self._rates = torch.zeros(self.steps, device=device)
        self._rate = torch.zeros(1, device=device)
        self.optimizer = build_optimizer(method, settings)
        self._bind_rate()

    def _bind_rate(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate[0]

    def load_optimizer(self, state: dict[str, Any]) -> None:
        """Give the optimizer this state, but for its rate, which stays the step's."""
        self.optimizer.load_state_dict(state)
        self._bind_rate()

    def begin(self, rates: Sequence[float]) -> None:
        """Begin an epoch in a new order, with the learning rate of each of its steps."""
        torch.randperm(len(self._data), generator=self._generator, out=self._order)
        self._rates.copy_(torch.tensor(rates))
        self._at.zero_()

    def run(self) -> None:
        """Train one batch."""
        torch.index_select(self._rates, 0, self._at, out=self._rate)
        rows = self._batches.index_select(0, self._at)[0]
        images = self._data.images[rows].to(DTYPES[self._precision]).div_(255)
        with autocast(self._precision, images.device):
            loss = self._method.loss(images, self._data.labels[rows], self._generator)
        loss.backward()
        if self._settings.clip_norm:
            nn.utils.clip_grad_norm_(self._parameters, self._settings.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.losses.index_copy_(0, self._at, loss.detach().view(1))
        self._at += 1


class Training(Iterator[EpochResult]):
    """A training under way: each `next` trains an epoch.

    Order, views and dropout follow from `seed`. Nothing is read from the device inside an
    epoch. The last, smaller batch of an epoch is left out (another order brings its images in).

    Between two epochs `state_dict` is all that the further course follows from. A training of the
    same method, data, settings and precision that loads it goes on to the last digit as this one
    does, on the same kind of device with as many threads; on another it draws other numbers.

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
        if len(data) < settings.batch_size:
            raise ValueError(
                f"batch_size is {settings.batch_size}, the data has {len(data)} images"
            )
        self._method = method
        self._device = data.images.device
        if self._device.type == "cuda":
            choose_repeatable_kernels()
        self._settings = settings
        self._epochs = epochs
        self._seed = seed
        self._generator = torch.Generator(self._device).manual_seed(seed)
        self._step = Step(method, data, settings, generator=self._generator, precision=precision)
        self._run = self._runner()
        fit_stems(method, data)
        self._done = 0
        self._over = False
        torch.manual_seed(seed)  # dropout draws from the global generator

    def __next__(self) -> EpochResult:
        """Train one epoch."""
        if self._over or self._done >= self._epochs:
            raise StopIteration
        start = time.perf_counter()
        first, steps = self._done * self._step.steps, self._step.steps
        rates = [self._settings.rate(first + n, self._epochs * steps) for n in range(steps)]
        self._method.train()
        self._step.begin(rates)
        for _ in range(steps):
            self._run()
        self._over = True  # unless the loss is a number
        _check_finite(self._step.losses, first_step=first)
        self._over = False
        self._done += 1
        seconds = time.perf_counter() - start
        return EpochResult(
            epoch=self._done,
            loss=self._step.losses.mean().item(),
            lr=rates[-1],
            seconds=seconds,
            images_per_second=steps * self._settings.batch_size / seconds,
        )

    def _runner(self) -> Callable[[], None]:
        """The step as it is or, on a GPU where this is wanted, one that is recorded."""
        step = self._step
        if not recording.wanted(self._device):
            return step.run
        if isinstance(step.optimizer, AveragingAdamW):
            log.warning("a step runs as it is: %s counts in Python", type(step.optimizer).__name__)
            return step.run
        return Recorded(step.run, step.optimizer, (self._generator,))

    def close(self) -> None:
        """Abandon it: there are no further epochs."""
        self._over = True

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values alone, which `torch.load(weights_only=True)` reads.

        They are the training's own and change with the next epoch: write or copy them at once.
        """
        state = {
            "epoch": self._done,
            "method": _tensors(self._method),
            "optimizer": self._step.optimizer.state_dict(),
            "device": self._device.type,
            "generator": self._generator.get_state(),
            "torch": torch.get_rng_state(),
        }
        if self._device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self._device)
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
        self._step.load_optimizer(state["optimizer"])  # at other addresses
        self._run = self._runner()
        self._done = int(state["epoch"])
        device = state.get("device", self._device.type)
        if device == self._device.type:
            self._generator.set_state(state["generator"].cpu())
            torch.set_rng_state(state["torch"].cpu())
            if self._device.type == "cuda":
                torch.cuda.set_rng_state(state["cuda"].cpu(), self._device)
        else:  # whose generators are others
            here = self._device.type
            said = "a training from %s continues on %s, its random numbers differ"
            log.warning(said, device, here)
            self._generator.manual_seed(self._seed + self._done)
            torch.manual_seed(self._seed + self._done)


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

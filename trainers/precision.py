"""Which number format to train in: measured on the device, not assumed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import torch
from torch import nn

Precision = Literal["float32", "bfloat16"]
DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager:
    """Mixed precision: float32 weights, products in `precision`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


@contextmanager
def exact_float32() -> Iterator[None]:
    """Keep CUDA from rounding float32's factors to TF32's 10 bits, as cuDNN does by default."""
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, products.allow_tf32
    cudnn.allow_tf32 = products.allow_tf32 = False
    try:
        yield
    finally:
        cudnn.allow_tf32, products.allow_tf32 = before


def choose_repeatable_kernels() -> None:
    """Let CUDA add up in a fixed order from now on, so that a training can be repeated exactly.

    What has no such kernel warns.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read with the first product
    torch.backends.cudnn.deterministic = True
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True, warn_only=True)


def faster(seconds: Mapping[Precision, float]) -> Precision:
    """bfloat16 if a step is at least 5 % faster with it: less is not worth the rounding."""
    return "bfloat16" if seconds["bfloat16"] < 0.95 * seconds["float32"] else "float32"


def fastest_precision(device: torch.device, *, threads: int | None = None) -> Precision:
    """The faster one of a small convolutional training step.

    Takes about 0.1 s on a CPU. A CPU without bfloat16 instructions emulates them and is
    several times slower with it, hence a measurement and not a rule. A GPU would be timed at how
    fast it is given work: of it the steps of a real training are asked.
    """
    before = torch.get_num_threads()
    if threads and device.type == "cpu":
        torch.set_num_threads(threads)
    try:
        seconds = _step_seconds(device)
    finally:
        torch.set_num_threads(before)
    return faster(seconds)


def _step_seconds(device: torch.device) -> dict[Precision, float]:
    """The fastest of a few steps in each precision, taken in turn.

    Whatever else the machine does only adds time, and meets both of them.
    """
    network = nn.Sequential(
        nn.Conv2d(32, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()
    )
    network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.ones(64, 32, 16, 16, device=device).to(memory_format=torch.channels_last)
    timings: dict[Precision, list[float]] = {precision: [] for precision in DTYPES}
    for _ in range(6):
        for precision, taken in timings.items():
            start = time.perf_counter()
            with autocast(precision, device):
                loss = network(images).float().mean()
            loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            taken.append(time.perf_counter() - start)
    # The first steps choose kernels.
    return {precision: min(taken[2:]) for precision, taken in timings.items()}

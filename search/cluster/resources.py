"""The resources of this machine, and how trials share them."""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import UserError

if TYPE_CHECKING:
    from trainers.precision import Precision


# Device files of Nvidia's drivers (of its boards too), of AMD's, and of Windows' Linux.
GPU_DEVICES = ("nvidia*", "nvhost*", "nvgpu*", "kfd", "dxg")
FEW_CPUS = 4


@dataclass(frozen=True, kw_only=True)
class Resources:
    """How trials run; by default one at a time, with one thread.

    Attributes:
        device: `cpu` or `cuda`.
        concurrency: trials at a time.
        cpus_per_trial: torch's threads, on a CPU.
        gpus_per_trial: GPUs of one trial; trials share a GPU if it is a fraction.
        precision: number format of the products, the faster one on this device.
    """

    device: str = "cpu"
    concurrency: int = 1
    cpus_per_trial: int = 1
    gpus_per_trial: float = 0.0
    precision: Precision = "float32"

    @property
    def cpus(self) -> int:
        """CPUs that all trials at a time take."""
        return self.concurrency * self.cpus_per_trial

    @property
    def gpus(self) -> int:
        """Whole GPUs that all trials at a time touch."""
        if not self.gpus_per_trial:
            return 0
        return math.ceil(self.concurrency / _on_one_gpu(self.gpus_per_trial))

    @property
    def sharers(self) -> int:
        """Trials at a time on one GPU."""
        return min(self.concurrency, _on_one_gpu(self.gpus_per_trial)) if self.gpus else 1

    @property
    def driver_device(self) -> str:
        """Where the driver itself computes: it may lead a cluster's GPUs and have none."""
        return self.device if self.device == "cpu" or gpu_count() else "cpu"

    def of_a_trial(self) -> dict[str, Any]:
        """What a trial is told of where it runs, and its records say."""
        threads = self.cpus_per_trial
        return {"precision": self.precision, "device": self.device, "threads": threads}

    def describe(self) -> str:
        """One line for the screen."""
        each = f"{self.cpus_per_trial} CPU thread{'s' * (self.cpus_per_trial > 1)}"
        if self.device == "cuda":
            each = f"{self.gpus_per_trial:g} GPU and {each}"
        trials = "1 trial" if self.concurrency == 1 else f"{self.concurrency} trials"
        return f"{trials} at a time, {each} each, {self.precision}"


def cpu_count() -> int:
    """The CPUs that this process may use: its affinity, and the container's quota if lower."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    count = allowed or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="utf-8").split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return count


def gpu_count() -> int:
    """The GPUs that torch can use; on a Linux without a GPU's driver 0, without importing torch."""
    devices = Path("/dev")
    if sys.platform == "linux" and not any(chain(*map(devices.glob, GPU_DEVICES))):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def choose_device(
    asked: str,
    gpus_per_trial: float | None,
    *,
    gpus: int,
    none: str = "torch finds no GPU on this machine",
) -> str:
    """`cuda` if there is a GPU and the options allow it, else `cpu`.

    Args:
        none: the message's words if there are none.

    Raises:
        UserError: the options ask for a GPU and there is none.
    """
    if gpus_per_trial and asked == "cpu":
        raise UserError(
            f"--gpus-per-trial {gpus_per_trial:g} with --device cpu: choose one of them"
        )
    if asked == "cpu" or (gpus_per_trial == 0 and asked != "cuda"):
        return "cpu"
    if gpus:
        return "cuda"
    if asked == "cuda" or gpus_per_trial:
        option = f"--gpus-per-trial {gpus_per_trial:g}" if gpus_per_trial else "--device cuda"
        raise UserError(f"{option}: {none}\nleave the option out to run on the CPUs")
    return "cpu"


def _on_one_gpu(part: float) -> int:
    """How many fit: two of 0.4, never 2.5."""
    return math.floor(1 / part + 1e-9)


def share(
    *,
    device: str,
    precision: Precision,
    cpus: int,
    gpus: int,
    concurrency: int | None,
    cpus_per_trial: int | None,
    gpus_per_trial: float,
) -> Resources:
    """Choose the values that the options leave open.

    On CPUs a trial gets one thread: two trials with a thread each do more than one with two. On
    GPUs as many trials run as fractions fit and CPUs serve, which they share equally: each keeps
    one busy with the launching of small kernels, and of more than a few one is left to the driver.
    """
    if device == "cuda":
        room = cpus - (cpus > FEW_CPUS)
        fitting = min(gpus * _on_one_gpu(gpus_per_trial), max(1, room // (cpus_per_trial or 1)))
        chosen = min(concurrency or fitting, fitting)
        each = cpus_per_trial or max(1, room // chosen)
    else:
        each = cpus_per_trial or 1
        chosen = concurrency or max(1, cpus // each)
    return Resources(
        device=device,
        concurrency=chosen,
        cpus_per_trial=each,
        gpus_per_trial=gpus_per_trial if device == "cuda" else 0.0,
        precision=precision,
    )

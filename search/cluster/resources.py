"""What this machine offers, and how trials share it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from search.errors import UserError
from trainers.precision import Precision

CONTEXT_GIB = 0.6  # what CUDA itself takes in each process, beside torch's own memory
HEADROOM = 1.25  # allocations differ from trial to trial; running out costs a whole trial


@dataclass(frozen=True, kw_only=True)
class Resources:
    """How trials run.

    Attributes:
        device: `cpu` or `cuda`.
        concurrency: trials at a time.
        cpus_per_trial: torch's threads, on a CPU.
        gpus_per_trial: a fraction shares a GPU between trials.
        precision: number format of the products, the faster one on this device.
    """

    device: str
    concurrency: int
    cpus_per_trial: int
    gpus_per_trial: float
    precision: Precision

    @property
    def cpus(self) -> int:
        """CPUs that all trials at a time take."""
        return self.concurrency * self.cpus_per_trial

    @property
    def gpus(self) -> int:
        """Whole GPUs that all trials at a time touch."""
        return math.ceil(self.concurrency * self.gpus_per_trial)

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
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return count


def gpu_count() -> int:
    """The GPUs that torch can use."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def choose_device(
    asked: str,
    gpus_per_trial: float | None,
    *,
    gpus: int,
    none: str = "torch finds no GPU on this machine",
) -> str:
    """`cuda` where there is a GPU and it is wanted, else `cpu`.

    Args:
        gpus, none: how many there are; what to say if there are none.

    Raises:
        UserError: a GPU is asked for and there is none.
    """
    if gpus_per_trial and asked == "cpu":
        raise UserError(
            f"--gpus-per-trial {gpus_per_trial:g} with --device cpu: choose one of them"
        )
    wants_gpu = asked == "cuda" or bool(gpus_per_trial)
    if asked == "cpu" or (gpus_per_trial == 0 and asked != "cuda"):
        return "cpu"
    if gpus:
        return "cuda"
    if wants_gpu:
        option = f"--gpus-per-trial {gpus_per_trial:g}" if gpus_per_trial else "--device cuda"
        raise UserError(f"{option}: {none}\nleave the option out to run on the CPUs")
    return "cpu"


def check_fits(
    *,
    cpus: int,
    gpus: int,
    cpus_per_trial: int | None,
    gpus_per_trial: float | None,
    where: str = "this machine",
) -> None:
    """Make sure that one trial alone fits on the machine or cluster.

    Raises:
        UserError: it asks for more CPUs or GPUs than there are.
    """
    if cpus_per_trial and cpus_per_trial > cpus:
        raise UserError(
            f"--cpus-per-trial {cpus_per_trial}: {where} has {cpus}\n"
            f"give at most {cpus}, or leave the option out"
        )
    if gpus_per_trial and gpus_per_trial > gpus:
        raise UserError(
            f"--gpus-per-trial {gpus_per_trial:g}: {where} has {gpus}\n"
            f"give at most {gpus}, or leave the option out"
        )


def gpu_share(peak_gib: float, total_gib: float, *, most: int) -> float:
    """The fraction of a GPU that one trial needs: 1 / n, n the most that fit, at most `most`.

    Ray only counts fractions, it limits no memory; so the fraction comes from a measurement of
    the largest model's peak.
    """
    needed = peak_gib * HEADROOM + CONTEXT_GIB
    fitting = max(1, min(most, math.floor(total_gib / needed)))
    return 1 / fitting


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
    """Fill in what was not asked for.

    On CPUs a trial gets one thread: two trials with a thread each do more than one with two. On
    GPUs there are as many trials as fractions, and the CPUs are dealt out among them.
    """
    if device == "cuda":
        if gpus_per_trial < 1:  # a fraction lies on one GPU: two of 0.4 fit there, never 2.5
            fitting = gpus * math.floor(1 / gpus_per_trial + 1e-9)
        else:
            fitting = math.floor(gpus / gpus_per_trial)
        chosen = min(concurrency or fitting, fitting)
        each = cpus_per_trial or max(1, cpus // chosen)
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

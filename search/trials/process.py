"""A process that trains one trial after the other, without Ray."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import platform
import random
import time
import traceback
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from search.files import durable, fault_injection
from search.trials import checkpoint
from search.trials.config import TrialConfig
from search.trials.trial import Trial, TrialImages
from trainers.data import TrainingData

log = logging.getLogger(__name__)

# What torch says of a CUDA context in which nothing can be computed any more.
LOST = ("CUDA error", "CUDNN_STATUS", "CUBLAS_STATUS", "HIP error")
WAIT_SECONDS = (1.0, 10.0)  # for memory on a shared GPU; trials that wait together differ
FIRST_SECONDS = 0.05  # what the first checkpoint of a trial is taken to need


class TrialProcess:
    """Trains the trials that `begin` gives it: one `step` is one epoch.

    Each trial gets new weights and generators, and an empty GPU cache. An exception inside a trial
    is returned as the trial's `error` and not raised, so that the process lives on and the reason
    reaches the records; a lost GPU, for which no trial is to blame, ends the process. If that dies,
    the next one resumes from the trial's checkpoint and reports the epochs in it again before it
    goes on.

    Args:
        data: in shared memory.
        folder: holds a folder for each trial under way.
        worth: how many times as long as the writing of a checkpoint the training since the last one
            must have taken for the next one to be written.
    """

    def __init__(
        self, data: TrainingData, folder: str | Path, *, worth: float = checkpoint.WORTH
    ) -> None:
        torch.set_flush_denormal(True)  # denormals in Adam's moments slow a CPU several times
        self._data = data
        self._images: TrialImages | None = None
        self._folder = Path(folder)
        self._started = self._settled = False
        self._worth = worth

    def begin(self, config: Mapping[str, Any]) -> None:
        """Start a trial, from `TrialConfig.to_json`."""
        self._trial: Trial | None = None
        self._epochs: Iterator[dict[str, Any]] = iter(())
        self._config = TrialConfig.from_json(config)
        self._told: int = 0  # epochs
        self._gave_way = False
        if self._started:
            gc.collect()  # so that the last trial's memory does not count for the next one's peak
            if not self._settled:
                gc.freeze()  # exempt the libraries: to scan them at every start took 0.2 s
                self._settled = True
        self._started = True
        reset_peak_memory()

    def step(self) -> dict[str, Any]:
        """Train and measure one epoch; returns `epoch` and `metrics`.

        The last result has `done` and, if the weights could be written, `weights`; the result of a
        failed trial has `error`. `halted` says why no trial can go on, and what to do.
        """
        try:
            try:
                metrics = self._next()
            except torch.OutOfMemoryError:
                if self._gave_way:
                    raise
                metrics = self._once_more()
        except ArithmeticError as error:  # the training diverged: expected now and then
            return {"done": True, "error": str(error)}
        except Exception as error:
            if self._images is None:  # nothing of the trial has begun
                return {"done": True, "halted": _unusable(self._config.device, error)}
            if _device_is_lost(error):
                log.critical("%s ends its process: %s", self._config.trial_id, error)
                os._exit(1)
            return {
                "done": True,
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        self._told = int(metrics.pop("epoch"))
        result: dict[str, Any] = {"epoch": self._told, "metrics": metrics}
        if result["epoch"] >= self._config.epochs:
            result["done"] = True
            try:
                result["weights"] = self._save()
            except OSError as error:  # a full disk: the trial is trained on from its checkpoint
                say = f"cannot write weights to {self._folder}: {error.strerror}"
                result["halted"] = f"{say}\nmake room"
        return result

    def _next(self) -> dict[str, Any]:
        if self._trial is None:
            self._trial, known = self._start()
            self._epochs = chain(known, self._further(self._trial, known))
        return dict(next(self._epochs))

    def _once_more(self) -> dict[str, Any]:
        """The next epoch again, from the checkpoint: others on the GPU may have left no memory."""
        self._gave_way = True
        self._trial, self._epochs = None, iter(())
        gc.collect()
        reset_peak_memory()
        time.sleep(random.uniform(*WAIT_SECONDS))
        metrics = self._next()
        while metrics["epoch"] <= self._told:
            metrics = self._next()
        return metrics

    def _start(self) -> tuple[Trial, checkpoint.History]:
        torch.set_num_threads(self._config.threads)
        if self._images is None:
            self._images = TrialImages.load(self._data, self._config.device)
        images = self._images
        return checkpoint.resume(self._trial_folder, lambda: Trial(self._config, images))

    def _further(self, trial: Trial, known: checkpoint.History) -> Iterator[dict[str, Any]]:
        """Yield the epochs after the known ones; each is in the history before its report."""
        history = list(known)
        written, seconds = time.monotonic(), FIRST_SECONDS
        for metrics in trial.epochs():
            history.append({**metrics, "memory/peak_gib": peak_memory_gib(self._config.device)})
            try:
                checkpoint.save_history(self._trial_folder, history)
                if time.monotonic() - written >= self._worth * seconds:
                    began = time.monotonic()
                    checkpoint.save(self._trial_folder, trial, history)
                    written = time.monotonic()
                    seconds = written - began
            except OSError as error:  # a full disk must not end the training
                log.warning("no checkpoint of %s: %s", self._config.trial_id, error)
            yield history[-1]

    @property
    def _trial_folder(self) -> Path:
        return self._folder / self._config.trial_id

    def _save(self) -> str:
        """Write the weights, whole or not at all; returns the file."""
        from safetensors.torch import save

        assert self._trial is not None
        path = self._trial_folder / checkpoint.WEIGHTS
        with durable.replacing(path) as file:
            file.write(save(self._trial.weights))  # save_file would let no other user read it
            fault_injection.reach("weights")
        return str(path)


def _unusable(device: str, error: Exception) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    say = f"node {platform.node()} cannot train on {device}: {reason[:300]}"
    return f"{say}\ntake it out of the cluster (ray stop there)" if device == "cuda" else say


def _device_is_lost(error: Exception) -> bool:
    said = isinstance(error, RuntimeError) and any(word in str(error) for word in LOST)
    return said or isinstance(error, torch.AcceleratorError)


def peak_memory_gib(device: str) -> float:
    """Peak memory since the trial began: the GPU's on `cuda`, else the process's own."""
    if device == "cuda":
        return torch.cuda.max_memory_reserved() / 2**30
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.split("VmHWM:")[1].split()[0]) / 2**20
    except (OSError, IndexError):  # not Linux
        return float("nan")


def reset_peak_memory() -> None:
    """Let `peak_memory_gib` count from now on."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets VmHWM

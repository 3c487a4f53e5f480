"""A trial inside Ray: one process trains trial after trial on the same images."""

from __future__ import annotations

import contextlib
import gc
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from ray import tune

from search.trial import Trial, TrialConfig, TrialImages
from trainers.data import TrainingData


class TrialWorker(tune.Trainable):
    """Ray's view of a `Trial`: one `step` is one epoch.

    The process is reused for the next trial (a fresh one costs seconds); weights, generators
    and the GPU's cache are made anew for each. Whatever goes wrong inside a trial is reported
    as the trial's `error` and not raised, so that the process lives on and the reason reaches
    the records; only a dying process is a failure in Ray's sense.
    """

    def setup(  # type: ignore[override]
        self, config: dict[str, Any], data: TrainingData, weights_dir: str
    ) -> None:
        """Called once per process, with the images in shared memory."""
        torch.set_flush_denormal(True)  # denormals in Adam's moments slow a CPU several times
        self._data = data
        self._images: TrialImages | None = None
        self._weights_dir = Path(weights_dir)
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Called for every further trial in the same process."""
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._trial: Trial | None = None
        self._epochs: Iterator[dict[str, float]] = iter(())
        self._config = TrialConfig.from_json(config)
        gc.collect()
        _reset_peak_memory()

    def step(self) -> dict[str, Any]:
        """Train one epoch and measure; the last result has `done`, a failed one `error`."""
        try:
            if self._trial is None:
                self._trial = self._start()
                self._epochs = self._trial.epochs()
            result: dict[str, Any] = dict(next(self._epochs))
        except ArithmeticError as error:  # the training diverged: expected now and then
            return {"done": True, "error": str(error)}
        except Exception as error:
            return {
                "done": True,
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        result["memory/peak_gib"] = peak_memory_gib(self._config.device)
        if result["epoch"] >= self._config.epochs:
            result["done"] = True
            result["weights"] = self._save()
        return result

    def _start(self) -> Trial:
        torch.set_num_threads(self._config.threads)
        if self._images is None:
            self._images = TrialImages.load(self._data, self._config.device)
        return Trial(self._config, self._images)

    def _save(self) -> str:
        """Write the best weights, whole or not at all, and say where."""
        from safetensors.torch import save_file

        assert self._trial is not None
        path = self._weights_dir / f"{self._config.trial_id}.safetensors"
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        save_file(self._trial.best_weights, unfinished)
        unfinished.rename(path)
        return str(path)


def peak_memory_gib(device: str) -> float:
    """Peak memory since the trial began: the GPU's where there is one, else the process's own."""
    if device == "cuda":
        return torch.cuda.max_memory_reserved() / 2**30
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 2**20
    except (OSError, IndexError):  # not Linux
        return float("nan")


def _reset_peak_memory() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM

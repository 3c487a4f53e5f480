"""A trial inside Ray: one process trains trial after trial on the same images."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import traceback
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from ray import tune

from search import checkpoints, faults
from search.trial import Trial, TrialConfig, TrialImages
from trainers.data import TrainingData

log = logging.getLogger(__name__)


class TrialWorker(tune.Trainable):
    """Ray's view of a `Trial`: one `step` is one epoch.

    The process is reused for the next trial (a fresh one costs seconds); weights, generators
    and the GPU's cache are made anew for each. Whatever goes wrong inside a trial is reported
    as the trial's `error` and not raised, so that the process lives on and the reason reaches
    the records; only a dying process is a failure in Ray's sense. What such a process had trained
    the next one takes from the trial's checkpoint, and reports it again before it goes on.
    """

    def setup(  # type: ignore[override]
        self, config: dict[str, Any], data: TrainingData, folder: str
    ) -> None:
        """Called once per process, with the images in shared memory; `folder` has one a trial."""
        torch.set_flush_denormal(True)  # denormals in Adam's moments slow a CPU several times
        self._data = data
        self._images: TrialImages | None = None
        self._folder = Path(folder)
        self._settled = False
        self._begin(config)
        reset_peak_memory()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Called for every further trial in the same process."""
        self._begin(new_config)
        gc.collect()  # what is left of the last trial is not in the next one's peak of memory
        if not self._settled:
            gc.freeze()  # the libraries: going through them at every trial's start took 0.2 s
            self._settled = True
        reset_peak_memory()
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._trial: Trial | None = None
        self._epochs: Iterator[dict[str, Any]] = iter(())
        self._config = TrialConfig.from_json(config)

    def step(self) -> dict[str, Any]:
        """Train one epoch and measure; the last result has `done`, a failed one `error`."""
        try:
            if self._trial is None:
                self._trial, known = self._start()
                self._epochs = chain(known, self._further(self._trial, known))
            result = dict(next(self._epochs))
        except ArithmeticError as error:  # the training diverged: expected now and then
            return {"done": True, "error": str(error)}
        except Exception as error:
            return {
                "done": True,
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        if result["epoch"] >= self._config.epochs:
            result["done"] = True
            try:
                result["weights"] = self._save()
            except OSError as error:  # a full disk: the checkpoint has what was trained
                result["unsaved"] = f"cannot write weights to {self._folder}: {error.strerror}"
        return result

    def _start(self) -> tuple[Trial, checkpoints.History]:
        torch.set_num_threads(self._config.threads)
        if self._images is None:
            self._images = TrialImages.load(self._data, self._config.device)
        images = self._images
        return checkpoints.resume(self._trial_folder, lambda: Trial(self._config, images))

    def _further(self, trial: Trial, known: checkpoints.History) -> Iterator[dict[str, Any]]:
        """The epochs after the known ones; each is in the checkpoint before it is reported."""
        history = list(known)
        for metrics in trial.epochs():
            history.append({**metrics, "memory/peak_gib": peak_memory_gib(self._config.device)})
            try:
                checkpoints.save(self._trial_folder, trial, history)
            except OSError as error:  # a full disk: what is trained is worth more than its copy
                log.warning("no checkpoint of %s: %s", self._config.trial_id, error)
            yield history[-1]

    @property
    def _trial_folder(self) -> Path:
        return self._folder / self._config.trial_id

    def _save(self) -> str:
        """Write the weights, whole or not at all, and say where."""
        from safetensors.torch import save_file

        assert self._trial is not None
        path = self._trial_folder / "weights.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        save_file(self._trial.weights, unfinished)
        faults.reach("weights")
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


def reset_peak_memory() -> None:
    """What `peak_memory_gib` says from now on begins here."""
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM

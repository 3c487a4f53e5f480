"""Checkpoints: what a trial goes on from when its process or its machine died.

Every trial under way has a folder of its own. Its checkpoint holds the trial after its newest
epoch, with the best weights so far and everything that was reported. Going on, a worker first
reports all of that again: whoever keeps records leaves out what it knows, and whoever missed some
of it, because it died too, has it then. The folder is removed once the records are complete.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from search import faults
from search.trial import Trial

log = logging.getLogger(__name__)

TRIALS = "trials"  # in a study's folder: a folder for each trial under way
FILE = "checkpoint.pt"
History = list[dict[str, Any]]  # what was reported, an entry an epoch, plain values

# What a checkpoint may differ in from the trial that goes on with it: who asks, and where it runs.
PLACE = ("number", "study", "device", "threads")


def save(folder: Path, trial: Trial, history: Sequence[Mapping[str, Any]]) -> None:
    """Write it, whole or not at all, and to the disk itself: a machine may stop at any time.

    Args:
        folder: of the trial; made when it is not there.
        trial: between two epochs.
        history: what was reported until now.

    Raises:
        OSError: it cannot be written; the one before is still there.
    """
    content = {
        "config": trial.config.to_json(),
        "history": [dict(entry) for entry in history],
        "trial": trial.state_dict(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{FILE}.{os.getpid()}.part"
    with partial.open("wb") as handle:
        torch.save(content, handle)
        handle.flush()
        os.fsync(handle.fileno())
    faults.reach("checkpoint")
    partial.replace(folder / FILE)


def resume(folder: Path, make: Callable[[], Trial]) -> tuple[Trial, History]:
    """The trial where its checkpoint left it, and what was reported until then.

    A new one and nothing where there is no checkpoint, or none of this configuration and code, or
    a damaged one.
    """
    trial = make()
    if not (folder / FILE).exists():
        return trial, []
    try:
        content = _read(folder)
        if _what(content["config"]) != _what(trial.config.to_json()):
            raise ValueError("it is of another configuration")
        trial.load_state_dict(content["trial"])
        return trial, [dict(entry) for entry in content["history"]]
    except Exception as error:  # whatever a damaged file makes of torch's reader
        log.warning("%s is not used, the trial begins anew: %s", folder / FILE, error)
        return make(), []  # what was loaded until then is of no use


def history(folder: Path) -> History:
    """What a trial had reported when its checkpoint was written; nothing without a whole one."""
    try:
        return [dict(entry) for entry in _read(folder)["history"]]
    except Exception as error:
        log.info("no checkpoint in %s: %s", folder, error)
        return []


def _read(folder: Path) -> dict[str, Any]:
    # Tensors and plain values alone: a checkpoint of somebody else's can run nothing here.
    content: dict[str, Any] = torch.load(folder / FILE, map_location="cpu", weights_only=True)
    return content


def _what(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in PLACE}

"""Checkpoints: a trial resumes from its checkpoint after its process or its machine died.

Every trial under way has a folder of its own. Its checkpoint holds the trial after an epoch, with
all metrics reported until then. A worker that resumes a trial first reports these metrics again,
and trains the epochs after them once more, with the same result: a listener skips the epochs that
it knows. The metrics of every epoch lie beside the checkpoint, for the records of a driver that
died too. The folder is removed once the records are complete.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.files import durable, fault_injection

if TYPE_CHECKING:  # the driver imports this module without torch
    from search.trials.trial import Trial

WEIGHTS = "weights.safetensors"

log = logging.getLogger(__name__)

TRIALS = "trials"  # in a study's folder: a folder for each trial under way
FILE = "checkpoint.pt"
HISTORY = "history.json"
# A trial that dies repeats at most so many times the seconds that a checkpoint takes, and an epoch;
# one that lives gives no more than a twentieth of its time for checkpoints.
WORTH = 20.0
VARIABLE = "LATENT_SEARCH_CHECKPOINT_WORTH"  # the environment variable that replaces WORTH
DIGEST = 32  # bytes of SHA-256
ZIP = b"PK\x03\x04"
History = list[dict[str, Any]]  # the reported metrics, an entry an epoch, plain values

# A checkpoint may differ in these from the trial that resumes it: its study and where it runs.
PLACE = ("number", "study", "device", "threads")


def worth() -> float:
    """The value that a search's workers are given: `WORTH`, or the environment's."""
    return float(os.environ.get(VARIABLE, WORTH))


def save(folder: Path, trial: Trial, history: Sequence[Mapping[str, Any]]) -> None:
    """Write the digest and the checkpoint, whole or not at all, and to the disk itself.

    Args:
        folder: the trial's; created if missing.
        history: the metrics reported until now.

    Raises:
        OSError: the file cannot be written; the previous checkpoint is still there.
    """
    import torch

    content = {
        "config": trial.config.to_json(),
        "history": [dict(entry) for entry in history],
        "trial": trial.state_dict(),
    }
    saved = io.BytesIO()
    torch.save(content, saved)
    with durable.replacing(folder / FILE) as file:
        file.write(hashlib.sha256(saved.getbuffer()).digest())
        file.write(saved.getbuffer())
        fault_injection.reach("checkpoint")


def resume(folder: Path, make: Callable[[], Trial]) -> tuple[Trial, History]:
    """The trial in its checkpoint's state, and the metrics reported until then.

    Without a checkpoint, or if it is damaged or of another configuration or code, the function
    returns a new trial and an empty history.
    """
    trial = make()
    if not (folder / FILE).exists():
        return trial, []
    try:
        content = _read(folder)
        if _what(content["config"]) != _what(trial.config.to_json()):
            raise ValueError("it belongs to another configuration")
        trial.load_state_dict(content["trial"])
        return trial, [dict(entry) for entry in content["history"]]
    except Exception as error:  # a damaged file can raise anything in torch's reader
        log.warning("%s is not used, the trial starts again: %s", folder / FILE, error)
        return make(), []  # `trial` may be loaded in part


def save_history(folder: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write the metrics reported until now.

    Raises:
        OSError: the file cannot be written.
    """
    durable.write(folder / HISTORY, json.dumps(list(history)))


def history(folder: Path) -> History:
    """The metrics that were reported; empty if there is no sound file."""
    try:
        return [dict(entry) for entry in json.loads((folder / HISTORY).read_bytes())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s is not used: %s", folder / HISTORY, error)
        return []


def _read(folder: Path) -> dict[str, Any]:
    import torch

    # Only tensors and plain values are loaded, so that a foreign checkpoint cannot run code here.
    written = (folder / FILE).read_bytes()
    if not written.startswith(ZIP):  # an older checkpoint, without a digest, is torch's file alone
        digest, written = written[:DIGEST], written[DIGEST:]
        if hashlib.sha256(written).digest() != digest:
            raise ValueError("it is damaged: its digest differs")
    saved = io.BytesIO(written)
    content: dict[str, Any] = torch.load(saved, map_location="cpu", weights_only=True)
    return content


def _what(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in PLACE}

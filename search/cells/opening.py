"""A cell's or a trial's run in MLflow, opened: its files are compared with what was recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from models import LatentModel
from search.cells.cell import (
    MODEL,
    TEST_METRICS,
    TEST_OUTPUTS,
    damaged_test,
    damaged_training,
    test_outputs,
)
from search.errors import Failure, UserError
from search.files import seals
from search.spaces.pipeline import of_experiment, pipeline_of
from search.spaces.rebuild import rebuild
from search.tracking.store import Store
from search.trials.checkpoint import WEIGHTS

COMMAND = "command"  # tag of a rerun
CHAMPION = (MODEL, WEIGHTS, TEST_METRICS)  # what a network is loaded from, sealed


@dataclass(frozen=True, kw_only=True)
class Opened:
    """The contents of a run.

    Attributes:
        info: its model.json, or what its trial was told.
        weights: hash of its weights.
        stored: what the test set gave, by name; empty where it was not asked for.
    """

    info: dict[str, Any]
    model: LatentModel
    weights: str
    stored: dict[str, np.ndarray]


def open_cell(store: Store, run_id: str, *, again: str, test: bool = False) -> Opened:
    """The run of a cell.

    Args:
        again: the command that makes again what is lost.
        test: whether it must have been measured on the test set.

    Raises:
        UserError: a file of it is missing or damaged.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in CHAMPION + (TEST_OUTPUTS,) * test:
            store.download(run_id, file, folder)
        return open_folder(folder, _run(run_id), mend=f"make it again: {again}", test=test)


def open_folder(folder: Path, whose: str, *, mend: str, test: bool = False) -> Opened:
    """A folder with a cell's files, or with copies of them; as `open_cell`.

    Args:
        whose: that the files are, in words.
        mend: how to have them again.
    """
    damaged = damaged_training(folder, curves=False) or (damaged_test(folder) if test else None)
    try:
        if damaged:
            raise ValueError(damaged)
        info = seals.read(folder / MODEL)
        return _opened(folder, info, stored=test_outputs(folder) if test else {})
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # not sealed, of another network
        raise _lost(whose, damaged or f"{MODEL} and {WEIGHTS} ({error})", mend) from None


def open_trial(store: Store, run_id: str, *, again: str) -> Opened:
    """The run of a trial, which has a configuration and weights; as `open_cell`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            for file in ("config.json", WEIGHTS):
                if store.download(run_id, file, folder) is None:
                    raise ValueError(file)
            known = store.tags(run_id).get(seals.WEIGHTS_TAG)
            if known not in (None, seals.file_hash(folder / WEIGHTS)):
                raise ValueError(WEIGHTS)
            config = seals.read(folder / "config.json")
            dataset = pipeline_of(config).dataset
            info = {**config, "kind": "trained", "dataset": dataset}
            return _opened(folder, info, stored={})
        except Exception as error:
            raise _lost(_run(run_id), str(error), f"make it again: {again}") from None


def read_sealed(store: Store, run_id: str, name: str, *, again: str) -> dict[str, Any]:
    """A JSON artifact of a run; as `open_cell`."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            content = seals.read(store.download(run_id, name, Path(folder)) or Path(folder, name))
        except (OSError, ValueError):
            raise _lost(_run(run_id), name, f"make it again: {again}") from None
    content.pop(seals.HASHES, None)
    return content


def _lost(whose: str, what: str, mend: str) -> UserError:
    return Failure(f"{what[:200]} of {whose} is gone or damaged\n{mend}")


def _run(run_id: str) -> str:
    return f"the MLflow run {run_id}"


def _opened(folder: Path, info: dict[str, Any], stored: dict[str, np.ndarray]) -> Opened:
    weights = folder / WEIGHTS
    model = rebuild(info, load_file(weights))
    return Opened(info=info, model=model, weights=seals.file_hash(weights), stored=stored)


def rerun_command(tags: Mapping[str, str], experiment: str) -> str:
    """The command that makes a rerun again: as it was called, unless nobody noted it then.

    Args:
        tags: of the rerun's run.
    """
    name, data = of_experiment(experiment)
    option = {"real": "", "mini": " --data mini"}.get(data, " --data ...")
    return tags.get(COMMAND) or f"python search/rerun.py --pipeline {name}{option}"

"""A process whose device fails it: what is told of the trial, and what is not."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from search.trials import process, trial as trial_module
from tests.search.ready import few, make_config
from tests.trial_steps import finish, told, with_loss, worker

NO_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[Exception | None]], None]:
    """Each step of training raises the next of these, unless it is None."""

    def with_errors(errors: Iterator[Exception | None]) -> None:
        def change(real: Callable[..., Any]) -> Callable[..., Any]:
            def loss(*given: Any) -> Any:
                if error := next(errors, None):
                    raise error
                return real(*given)

            return loss

        monkeypatch.setattr(trial_module, "pipeline_of", with_loss(change))

    monkeypatch.setattr(process, "WAIT_SECONDS", (0.0, 0.0))
    return with_errors


def test_a_trial_without_memory_goes_on_once_from_its_checkpoint(
    tmp_path: Path, fails: Any
) -> None:
    """120 images in batches of 40: the fifth step is in the second of three epochs."""
    config, data = make_config(epochs=3), few("mnist")
    undisturbed = told(finish(worker(config, data, tmp_path / "undisturbed")))
    fails(iter([None] * 4 + [NO_MEMORY]))
    assert told(finish(worker(config, data, tmp_path / "disturbed"))) == undisturbed
    fails(iter([None] * 4 + [NO_MEMORY] + [None] * 2 + [NO_MEMORY]))
    first, end = told(finish(worker(config, data, tmp_path / "twice")))
    assert first == undisturbed[0]
    assert end["error"] == f"OutOfMemoryError: {NO_MEMORY}" and end["done"]


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("device-side assert triggered"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
    ],
    ids=str,
)
def test_a_lost_device_ends_the_process_and_is_told_of_no_trial(
    error: Exception, tmp_path: Path, fails: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = make_config(epochs=2), few("mnist")
    undisturbed = told(finish(worker(config, data, tmp_path / "undisturbed")))

    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(process.os, "_exit", leave)
    fails(iter([None] * 4 + [error]))
    with pytest.raises(SystemExit, match="1"):
        told(finish(worker(config, data, tmp_path / "lost")))
    assert told(finish(worker(config, data, tmp_path / "lost"))) == undisturbed, (
        "another process goes on"
    )


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("No CUDA GPUs are available\nmore"),
        torch.AcceleratorError("CUDA error: CUDA-capable device(s) is/are busy or unavailable"),
        NO_MEMORY,
    ],
    ids=["broken", "exclusive", "full"],
)
def test_a_node_whose_device_takes_no_images_is_told_of_no_trial(
    error: Exception, tmp_path: Path, fails: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would fail each of them at once, and so take them all."""
    config = make_config(epochs=2)
    with monkeypatch.context() as patched:
        patched.setattr(process.TrialImages, "load", Mock(side_effect=error))
        [end] = finish(worker(config, few("mnist"), tmp_path))
    assert set(end) == {"done", "halted"}
    reason = str(error).splitlines()[0]
    assert end["halted"] == f"node {platform.node()} cannot train on cpu: {reason}"
    on_cuda = process._unusable("cuda", error)
    assert on_cuda.splitlines()[1] == "take it out of the cluster (ray stop there)"
    assert finish(worker(config, few("mnist"), tmp_path))[-1]["epoch"] == 2, "elsewhere"

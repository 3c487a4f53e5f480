"""A trial that died goes on to the last digit as if it had not, and never from a bad checkpoint."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from search import checkpoints
from search.pipeline import pipeline_names
from search.trial import Trial, TrialConfig, TrialImages
from search.worker import TrialWorker
from trainers.data import TrainingData

Few = Callable[[str], TrainingData]
MakeConfig = Callable[..., TrialConfig]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def worker(config: TrialConfig, data: TrainingData, folder: Path) -> TrialWorker:
    made = object.__new__(TrialWorker)  # Ray's own constructor opens log files
    made.setup(config.to_json(), data=data, folder=str(folder))
    return made


def told(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What must be equal: not where the weights are, nor what a process needed."""
    left_out = ("time/", "memory/", "weights")
    return [{k: v for k, v in r.items() if not k.startswith(left_out)} for r in results]


def finish(made: TrialWorker) -> list[dict[str, Any]]:
    results = [made.step()]
    while not results[-1].get("done"):
        results.append(made.step())
    return results


@pytest.mark.parametrize("pipeline", pipeline_names())
@pytest.mark.parametrize("died_after", [1, 3])
def test_a_trial_that_died_goes_on_to_the_last_digit(
    pipeline: str, died_after: int, few: Few, make_config: MakeConfig, tmp_path: Path
) -> None:
    """Killed between two epochs, or after the last one and before anybody was told."""
    config = make_config(pipeline, {"augment_strength": 0.5}, epochs=3, rungs=(1,))
    data = few(pipeline.split("_")[0])
    whole = finish(worker(config, data, tmp_path / "whole"))
    first = worker(config, data, tmp_path / "died")
    before = [first.step() for _ in range(died_after)]
    del first
    torch.rand(1000)
    after = finish(worker(config, data, tmp_path / "died"))
    assert told(after) == told(whole), "it tells everything, what was told before too"
    # What is told again is what was told, measured times and all.
    strip = ("done", "weights")
    again = [{k: v for k, v in r.items() if k not in strip} for r in after[:died_after]]
    assert again == [{k: v for k, v in r.items() if k not in strip} for r in before]
    weights = [load_file(str(results[-1]["weights"])) for results in (whole, after)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize(
    "change",
    [{"seed": 9}, {"epochs": 4}, {"params": {"lr": 0.01}}, {"rungs": (2,)}, {"final": True}],
    ids=lambda change: next(iter(change)),
)
def test_another_configuration_begins_anew(
    change: dict[str, Any],
    few: Few,
    make_config: MakeConfig,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = make_config(epochs=3)
    worker(config, few("mnist"), tmp_path).step()
    if "params" in change:
        change = {"params": {**config.params, **change["params"]}}
    other = dataclasses.replace(config, **change)
    images = TrialImages.load(few("mnist"), "cpu")
    with caplog.at_level(logging.WARNING):
        trial, history = checkpoints.resume(
            tmp_path / config.trial_id, lambda: Trial(other, images)
        )
    assert history == []
    assert "of another configuration" in caplog.text
    assert next(trial.epochs())["epoch"] == 1


def test_it_goes_on_in_another_place(few: Few, make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(epochs=3)
    worker(config, few("mnist"), tmp_path).step()
    moved = dataclasses.replace(config, threads=2, number=7, study="other")
    images = TrialImages.load(few("mnist"), "cpu")
    trial, history = checkpoints.resume(tmp_path / config.trial_id, lambda: Trial(moved, images))
    assert [entry["epoch"] for entry in history] == [1]
    assert next(trial.epochs())["epoch"] == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "of other code"])
def test_a_damaged_checkpoint_is_not_used(
    damage: str, few: Few, make_config: MakeConfig, tmp_path: Path
) -> None:
    config, data = make_config(epochs=2), few("mnist")
    whole = finish(worker(config, data, tmp_path / "whole"))
    worker(config, data, tmp_path).step()
    file = tmp_path / config.trial_id / checkpoints.FILE
    content = file.read_bytes()
    if damage == "of other code":
        state = torch.load(file, weights_only=True)
        state["trial"]["training"]["optimizer"]["param_groups"].pop()
        torch.save(state, file)
    else:
        file.write_bytes({"cut": content[: len(content) // 2], "empty": b""}.get(damage, b"text"))
    assert told(finish(worker(config, data, tmp_path))) == told(whole)
    file.write_bytes(b"text")
    assert checkpoints.history(file.parent) == []


def test_code_in_a_checkpoint_is_not_run(few: Few, make_config: MakeConfig, tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path.joinpath("harmed").touch, ())

    config, data = make_config(epochs=2), few("mnist")
    folder = tmp_path / config.trial_id
    folder.mkdir()
    torch.save(
        {"config": config.to_json(), "history": [], "trial": Harm()}, folder / "checkpoint.pt"
    )
    assert len(finish(worker(config, data, tmp_path))) == 2
    assert checkpoints.history(folder) != []  # its own by now
    assert not (tmp_path / "harmed").exists()


def test_a_process_that_dies_while_writing_leaves_the_one_before(
    few: Few, make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, data = make_config(epochs=3), few("mnist")
    made = worker(config, data, tmp_path)
    made.step()
    real = torch.save

    def half(content: Any, handle: Any) -> None:
        real({"half": 1}, handle)
        raise KeyboardInterrupt  # as near to a kill as a test can be

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", half)
        with pytest.raises(KeyboardInterrupt):
            made.step()
    folder = tmp_path / config.trial_id
    assert [entry["epoch"] for entry in checkpoints.history(folder)] == [1]
    results = finish(worker(config, data, tmp_path))
    assert [result["epoch"] for result in results] == [1, 2, 3]


def test_a_full_disk_does_not_end_a_trial(
    few: Few,
    make_config: MakeConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(content: Any, handle: Any) -> None:
        raise OSError(28, "No space left on device")

    config = make_config(epochs=2)
    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        results = finish(worker(config, few("mnist"), tmp_path))
    assert [result["epoch"] for result in results] == [1, 2]
    assert "error" not in results[-1] and Path(str(results[-1]["weights"])).exists()
    assert "No space left on device" in caplog.text


def test_the_history_is_plain(few: Few, make_config: MakeConfig, tmp_path: Path) -> None:
    config = make_config(epochs=2, rungs=(1,))
    result = worker(config, few("mnist"), tmp_path).step()
    [entry] = checkpoints.history(tmp_path / config.trial_id)
    assert entry == result == json.loads(json.dumps(entry))
    assert checkpoints.history(tmp_path / "nobody") == []

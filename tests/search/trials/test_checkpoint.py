"""A trial that died goes on to the last digit as if it had not, and never from a bad checkpoint."""

from __future__ import annotations

import dataclasses
import json
import logging
import random
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from search.trials import checkpoint, process
from search.trials.config import TrialConfig
from search.trials.process import TrialProcess
from search.trials.trial import Trial, TrialImages
from tests.search.ready import BUILT_IN, few, make_config
from tests.trial_steps import finish, told, worker
from trainers.data import TrainingData


def resume(
    config: TrialConfig, data: TrainingData, folder: Path
) -> tuple[Trial, checkpoint.History]:
    images = TrialImages.load(data, "cpu")
    return checkpoint.resume(folder / config.trial_id, lambda: Trial(config, images))


@pytest.mark.slow
@pytest.mark.parametrize("pipeline", BUILT_IN)
def test_a_trial_that_died_goes_on_to_the_last_digit(pipeline: str, tmp_path: Path) -> None:
    """Killed between two epochs, or after the last one and before anybody was told."""
    config = make_config(pipeline, {"augment_strength": 0.5}, epochs=3, rungs=(1,))
    data = few(pipeline.split("_")[0])
    whole = finish(worker(config, data, tmp_path / "whole"))
    for died_after in (1, 3):
        folder = tmp_path / f"died after {died_after}"
        first = worker(config, data, folder)
        before = [first.step() for _ in range(died_after)]
        del first
        torch.rand(1000)
        after = finish(worker(config, data, folder))
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
    change: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_config(epochs=3)
    worker(config, few("mnist"), tmp_path).step()
    if "params" in change:
        change = {"params": {**config.params, **change["params"]}}
    other = dataclasses.replace(config, **change)
    with caplog.at_level(logging.WARNING):
        trial, history = resume(other, few("mnist"), tmp_path)
    assert history == []
    assert "it belongs to another configuration" in caplog.text
    assert next(trial.epochs())["epoch"] == 1


def test_it_goes_on_in_another_place(tmp_path: Path) -> None:
    config = make_config(epochs=3)
    worker(config, few("mnist"), tmp_path).step()
    moved = dataclasses.replace(config, threads=2, number=7, study="other")
    trial, history = resume(moved, few("mnist"), tmp_path)
    assert [entry["epoch"] for entry in history] == [1]
    assert next(trial.epochs())["epoch"] == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "of other code"])
def test_a_damaged_checkpoint_is_not_used(damage: str, tmp_path: Path) -> None:
    config, data = make_config(epochs=2), few("mnist")
    whole = finish(worker(config, data, tmp_path / "whole"))
    worker(config, data, tmp_path).step()
    file = tmp_path / config.trial_id / checkpoint.FILE
    content = file.read_bytes()
    if damage == "of other code":
        state = torch.load(BytesIO(content[checkpoint.DIGEST :]), weights_only=True)
        state["trial"]["training"]["optimizer"]["param_groups"].pop()
        torch.save(state, file)  # without a digest, as they once were
    else:
        file.write_bytes({"cut": content[: len(content) // 2], "empty": b""}.get(damage, b"text"))
    assert told(finish(worker(config, data, tmp_path))) == told(whole)
    (file.parent / checkpoint.HISTORY).write_bytes(b"[{")
    assert checkpoint.history(file.parent) == []


def test_64_flipped_bytes_are_found_wherever_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_config(epochs=2)
    worker(config, few("mnist"), tmp_path).step()
    file = tmp_path / config.trial_id / checkpoint.FILE
    whole = file.read_bytes()
    assert len(resume(config, few("mnist"), tmp_path)[1]) == 1
    found = 0
    choose = random.Random(0)
    places = [0, len(whole) - 64, *(choose.randrange(len(whole) - 64) for _ in range(48))]
    for place in places:
        flipped = bytes(byte ^ 0x3F for byte in whole[place : place + 64])
        file.write_bytes(whole[:place] + flipped + whole[place + 64 :])
        caplog.clear()
        found += resume(config, few("mnist"), tmp_path)[1] == []  # its trial begins anew
        assert all(str(file) in told.getMessage() for told in caplog.records)
    assert found == 50
    file.write_bytes(whole)
    assert len(resume(config, few("mnist"), tmp_path)[1]) == 1


def test_one_from_before_they_had_a_digest_is_used(tmp_path: Path) -> None:
    config, data = make_config(epochs=2), few("mnist")
    whole = finish(worker(config, data, tmp_path / "whole"))
    worker(config, data, tmp_path).step()
    file = tmp_path / config.trial_id / checkpoint.FILE
    file.write_bytes(file.read_bytes()[checkpoint.DIGEST :])
    assert len(resume(config, data, tmp_path)[1]) == 1
    assert told(finish(worker(config, data, tmp_path))) == told(whole)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
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
    assert checkpoint.history(folder) != []  # its own by now
    assert not (tmp_path / "harmed").exists()


def test_a_process_that_dies_while_writing_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    _, resumed = resume(config, data, tmp_path)
    assert [entry["epoch"] for entry in resumed] == [1]
    known = checkpoint.history(tmp_path / config.trial_id)
    assert [entry["epoch"] for entry in known] == [1, 2]
    results = finish(worker(config, data, tmp_path))
    assert [result["epoch"] for result in results] == [1, 2, 3]


def test_a_full_disk_does_not_end_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
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


def test_the_history_is_plain(tmp_path: Path) -> None:
    config = make_config(epochs=2, rungs=(1,))
    result = worker(config, few("mnist"), tmp_path).step()
    [entry] = checkpoint.history(tmp_path / config.trial_id)
    assert entry == {"epoch": result["epoch"], **result["metrics"]} == json.loads(json.dumps(entry))
    assert checkpoint.history(tmp_path / "nobody") == []


def test_one_is_written_when_the_training_since_the_last_was_long_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch takes 1.5 s here, and a checkpoint 0.1 s: one epoch in two is worth it."""
    now = 0.0

    def epochs(self: Trial) -> Iterator[dict[str, float]]:
        nonlocal now
        for epoch in range(1, 8):
            now += 1.5
            yield {"epoch": epoch}

    def save(folder: Path, trial: Trial, history: checkpoint.History) -> None:
        nonlocal now
        now += 0.1
        written.append(history[-1]["epoch"])

    written: list[int] = []
    monkeypatch.setattr(Trial, "epochs", epochs)
    monkeypatch.setattr(checkpoint, "save", save)
    monkeypatch.setattr(process.time, "monotonic", lambda: now)
    made = TrialProcess(few("mnist"), tmp_path)
    config = make_config(epochs=8)
    made.begin(config.to_json())
    for epoch in range(1, 8):
        made.step()
        known = checkpoint.history(tmp_path / config.trial_id)
        assert [entry["epoch"] for entry in known] == [*range(1, epoch + 1)], "of every epoch"
    assert written == [1, 3, 5, 7]

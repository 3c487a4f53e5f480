"""Steps that are recorded: what they train is what they train as they are.

There is no graph on a CPU: what stands for one runs the step. Everything about it is real.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.trainers.small import build_method, make_images
from trainers import recording
from trainers.classifiers import fit_classifier
from trainers.loop import fit
from trainers.methods import Supervised
from trainers.optimisation import Optimisation
from trainers.recording import WARM, Recorded

SETTINGS = Optimisation(batch_size=16, lr=3e-3)


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Steps are recorded, in name; the generators of each recording."""
    made: list[Any] = []

    def record(run: recording.Run, generators: Any) -> recording.Run:
        made.append(generators)
        return run

    monkeypatch.setattr(recording, "wanted", lambda device: True)
    monkeypatch.setattr(recording, "record", record)
    monkeypatch.setattr(recording, "_beside", nullcontext)
    return made


@pytest.mark.parametrize(
    ("device", "switch", "wanted"),
    [("cuda", "1", True), ("cuda", "0", False), ("cuda", None, False), ("cpu", "1", False)],
)
def test_only_a_gpu_records_and_only_where_it_is_asked_to(
    device: str, switch: str | None, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(recording.SWITCH, raising=False)
    if switch is not None:
        monkeypatch.setenv(recording.SWITCH, switch)
    assert recording.wanted(torch.device(device)) is wanted


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_a_recorded_training_takes_the_same_course_and_goes_on(
    optimizer: Any, records: list[Any]
) -> None:
    """Four steps an epoch; a loaded state lies elsewhere, and so the step is recorded anew."""
    settings, data = replace(SETTINGS, optimizer=optimizer), make_images(70)

    def course(*, wanted: bool) -> list[float]:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(recording, "wanted", lambda device: wanted)
            first = fit(build_method(Supervised), data, settings, epochs=4, seed=0)
            losses = [next(first).loss, next(first).loss]
            other = fit(build_method(Supervised), data, settings, epochs=4, seed=0)
            other.load_state_dict(first.state_dict())
            return losses + [result.loss for result in other]

    assert course(wanted=True) == course(wanted=False)
    assert len(records) == 2 and all(len(generators) == 1 for generators in records)


def test_the_first_runs_count_and_are_as_they_are(records: list[Any]) -> None:
    calls = []
    parameter = torch.nn.Parameter(torch.zeros(1))
    step = Recorded(lambda: calls.append(len(records)), torch.optim.AdamW([parameter]))
    for _ in range(WARM + 2):
        step()
    assert calls == [0] * WARM + [1] * 2
    assert step._optimizer.param_groups[0]["capturable"], "torch refuses to record it otherwise"


def test_what_cannot_be_recorded_runs_as_it_is_and_says_so(
    records: list[Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(run: Any, generators: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing")

    plain = replace(SETTINGS, first_moment="plain")
    for settings, said in ((SETTINGS, "not permitted"), (plain, "counts in Python")):
        caplog.clear()
        monkeypatch.setattr(recording, "record", refuse)
        with caplog.at_level(logging.WARNING):
            list(fit(build_method(Supervised), make_images(70), settings, epochs=2, seed=0))
        [record] = caplog.records
        assert "runs as it is" in record.message and said in record.message
    assert records == []


def test_the_protocols_classifier_is_the_same(
    records: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = torch.Generator().manual_seed(0)
    latents = torch.randn(200, 8, generator=draws)
    labels = torch.randint(5, (200,), generator=draws)

    def fitted() -> dict[str, torch.Tensor]:
        return fit_classifier(latents, labels, classes=5, seed=1).state_dict()

    recorded = fitted()
    assert len(records) == 1
    monkeypatch.setattr(recording, "wanted", lambda device: False)
    plain = fitted()
    assert all(torch.equal(recorded[name], plain[name]) for name in plain)

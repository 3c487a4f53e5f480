"""The number format: measured, and what autocast then does."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.trainers.small import build_method, make_images
from trainers import evaluation, precision
from trainers.methods import Supervised
from trainers.precision import DTYPES, Precision, autocast, fastest_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({"float32": 1.0, "bfloat16": 0.5}, "bfloat16"),
        ({"float32": 1.0, "bfloat16": 0.94}, "bfloat16"),
        ({"float32": 1.0, "bfloat16": 0.96}, "float32"),  # not worth the rounding
        ({"float32": 1.0, "bfloat16": 4.0}, "float32"),
    ],
    ids=str,
)
def test_bfloat16_has_to_be_faster_by_a_twentieth(
    seconds: dict[Precision, float], expected: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_step_seconds", lambda device: seconds)
    assert fastest_precision(CPU) == expected


def test_it_measures_with_the_threads_asked_for_and_restores_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, during = torch.get_num_threads(), []

    def measure(device: torch.device) -> dict[Precision, float]:
        during.append(torch.get_num_threads())
        if len(during) > 1:
            raise RuntimeError("broken")
        return {"float32": 1.0, "bfloat16": 1.0}

    monkeypatch.setattr(precision, "_step_seconds", measure)
    fastest_precision(CPU, threads=before + 1)
    assert during == [before + 1] and torch.get_num_threads() == before
    with pytest.raises(RuntimeError, match="broken"):
        fastest_precision(CPU, threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("late", "expected"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_an_interruption_does_not_change_the_answer(
    late: Precision, expected: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that jumps in all but one of the quicker precision's steps, as a busy machine's."""
    now, calls = 0.0, 0
    quick = expected

    def clock() -> float:
        nonlocal now, calls
        calls += 1
        step, second = divmod(calls - 1, 2)  # two readings a step
        name = list(DTYPES)[step % 2]
        if second:
            now += 1.0 if name == late else 0.5
            if name == quick and step // 2 != 4:
                now += 10.0
        return now

    monkeypatch.setattr(precision.time, "perf_counter", clock)
    assert fastest_precision(CPU) == expected


def test_autocast_multiplies_in_the_precision_and_leaves_weights_alone() -> None:
    layer = torch.nn.Linear(4, 4)
    for name, dtype in DTYPES.items():
        with autocast(name, CPU):
            assert layer(torch.ones(2, 4)).dtype == dtype
    assert layer.weight.dtype == torch.float32


def test_cuda_adds_up_in_a_fixed_order_once_it_is_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    assert not torch.are_deterministic_algorithms_enabled()
    try:
        precision.choose_repeatable_kernels()
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.backends.cudnn.deterministic
        assert precision.os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]


def test_measurements_are_in_real_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torch does on a GPU otherwise, and what a training may ask for, is as before."""
    seen = []
    encode = evaluation.encode

    def look(*given: Any, **named: Any) -> Any:
        seen.append((torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32))
        return encode(*given, **named)

    monkeypatch.setattr(evaluation, "encode", look)
    assert torch.backends.cudnn.allow_tf32, "torch's default"
    method, few = build_method(Supervised), make_images(40)
    evaluation.evaluate(method, few, few, classes=10, seed=0, accuracy_only=True)
    assert seen == [(False, False)]
    assert torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32

"""How trials share a machine."""

from __future__ import annotations

from fractions import Fraction

import pytest

from search.cluster import resources
from search.cluster.profile_trial import CONTEXT_GIB, HEADROOM, TrialProfile
from search.cluster.resources import (
    Resources,
    choose_device,
    share,
)


def on_cpus(cpus: int, concurrency: int | None = None, each: int | None = None) -> Resources:
    counts = {"cpus": cpus, "concurrency": concurrency, "cpus_per_trial": each}
    return share(device="cpu", precision="float32", gpus=0, gpus_per_trial=0.0, **counts)


def on_gpus(gpus: int, part: float, *, cpus: int = 16, **counts: int | None) -> Resources:
    asked = {"concurrency": None, "cpus_per_trial": None, **counts, "cpus": cpus, "gpus": gpus}
    return share(device="cuda", precision="bfloat16", gpus_per_trial=part, **asked)


@pytest.mark.parametrize(
    ("cpus", "concurrency", "each", "expected"),
    [
        (2, None, None, (2, 1)),
        (1, None, None, (1, 1)),
        (8, None, None, (8, 1)),
        (8, None, 3, (2, 3)),
        (8, 3, None, (3, 1)),
        (8, 2, 4, (2, 4)),
        (2, 4, None, (4, 1)),
    ],
)
def test_cpus(
    cpus: int, concurrency: int | None, each: int | None, expected: tuple[int, int]
) -> None:
    made = on_cpus(cpus, concurrency, each)
    assert (made.concurrency, made.cpus_per_trial) == expected
    assert made.cpus == expected[0] * expected[1]
    assert made.gpus == 0
    assert made.gpus_per_trial == 0


@pytest.mark.parametrize(
    ("gpus", "part", "concurrency", "each", "expected"),
    [
        (1, 1.0, None, None, (1, 15)),
        (1, 0.25, None, None, (4, 3)),
        (1, 1 / 3, None, None, (3, 5)),
        (1, 0.1, None, None, (10, 1)),
        (2, 0.5, None, None, (4, 3)),
        (4, 1.0, None, None, (4, 3)),
        (1, 0.25, 2, None, (2, 7)),
        (1, 0.25, 9, None, (4, 3)),
        (1, 0.25, None, 2, (4, 2)),
        (8, 1 / 16, None, None, (15, 1)),  # a CPU each, and one for the driver
        (8, 1 / 16, 100, None, (15, 1)),
        (8, 1 / 16, None, 4, (3, 4)),
    ],
)
def test_gpus(
    gpus: int, part: float, concurrency: int | None, each: int | None, expected: tuple[int, int]
) -> None:
    made = on_gpus(gpus, part, concurrency=concurrency, cpus_per_trial=each)
    assert (made.concurrency, made.cpus_per_trial) == expected
    assert made.gpus <= gpus


def test_a_fraction_lies_on_one_gpu() -> None:
    """Ray puts 0.4 of a GPU on one GPU: two fit on each of two, and not five on both."""
    assert on_gpus(2, 0.4).concurrency == 4
    assert on_gpus(4, 0.4, concurrency=5).gpus == 3


@pytest.mark.parametrize("peak", [0.1, 1.0, 3.7, 20.0, 79.0, 500.0])
@pytest.mark.parametrize("most", [1, 2, 16, 100])
def test_the_share_of_a_gpu_fits_into_its_memory(peak: float, most: int) -> None:
    total = 80.0
    profile = TrialProfile(gpus=1, precision="float32", peak_gib=peak, total_gib=total)
    part = profile.share(limit=most)
    trials = round(1 / part)
    assert Fraction(1, trials) == pytest.approx(part)
    assert 1 <= trials <= most
    needed = peak * HEADROOM + CONTEXT_GIB
    assert trials == 1 or trials * needed <= total
    assert trials == most or (trials + 1) * needed > total, "no more than needed is given away"


@pytest.mark.parametrize(
    ("asked", "part", "gpus", "device"),
    [
        ("auto", None, 0, "cpu"),
        ("auto", None, 1, "cuda"),
        ("auto", 0.5, 1, "cuda"),
        ("auto", 0.0, 1, "cpu"),
        ("cpu", None, 1, "cpu"),
        ("cpu", 0.0, 1, "cpu"),
        ("cuda", None, 1, "cuda"),
    ],
)
def test_the_device(asked: str, part: float | None, gpus: int, device: str) -> None:
    assert choose_device(asked, part, gpus=gpus) == device


def test_a_driver_without_a_gpu_computes_on_its_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for gpus, device in ((0, "cpu"), (2, "cuda")):
        monkeypatch.setattr(resources, "gpu_count", lambda gpus=gpus: gpus)
        assert Resources(device="cuda").driver_device == device
        assert Resources().driver_device == "cpu"


def test_in_words() -> None:
    assert on_cpus(2).describe() == "2 trials at a time, 1 CPU thread each, float32"
    assert on_cpus(4, 1, 2).describe() == "1 trial at a time, 2 CPU threads each, float32"
    assert on_gpus(1, 0.5, cpus=2).describe() == (
        "2 trials at a time, 0.5 GPU and 1 CPU thread each, bfloat16"
    )

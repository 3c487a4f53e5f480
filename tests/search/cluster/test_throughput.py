"""How fast trials train: alone, and where they share a GPU beside as many others."""

from __future__ import annotations

from typing import Any

import pytest

from search.cluster import throughput
from search.cluster.resources import Resources
from search.spaces.pipeline import load_pipeline
from tests.search.ready import few


@pytest.mark.slow
@pytest.mark.parametrize(
    ("resources", "at_a_time"),
    [
        (Resources(device="cuda", concurrency=4, gpus_per_trial=0.5), 2),
        (Resources(device="cuda", concurrency=1, gpus_per_trial=0.5), 1),
        (Resources(concurrency=2), 1),
    ],
    ids=["shared", "one trial", "cpu"],
)
def test_those_that_share_a_gpu_are_timed_together(
    resources: Resources, at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On CPUs here, each in a process of its own."""
    pools: list[int] = []
    real = throughput.ProcessPoolExecutor

    def pool(count: int, **named: Any) -> Any:
        pools.append(count)
        return real(count, **named)

    monkeypatch.setattr(throughput, "ProcessPoolExecutor", pool)
    assert resources.sharers == at_a_time
    looks = iter([resources.device])  # the first decides who times, the others where
    monkeypatch.setattr(Resources, "driver_device", property(lambda _: next(looks, "cpu")))
    pipeline = load_pipeline("mnist_supervised")
    params = {**pipeline.defaults, "width": 4, "batch_size": 40}
    rate, size = throughput.time_training(pipeline, params, few("mnist"), resources, seed=0)
    assert rate > 0 and size > 0
    assert pools == ([at_a_time] if at_a_time > 1 else [])

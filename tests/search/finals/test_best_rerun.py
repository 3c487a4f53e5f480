"""Which of several reruns holds a pipeline's champion."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from search.finals.best_rerun import best_rerun, finished_reruns
from search.tracking.store import Store
from trainers.protocol import VERSION

Add = Callable[..., str]


@pytest.fixture
def add(store: Store) -> Add:
    """(validation accuracy, ...) -> a rerun as Records leaves it; returns its run."""

    def made(
        value: float,
        *,
        name: str = "mnist_supervised",
        width: int = 16,
        epochs: int = 9,
        data: str = "d",
        protocol: int | None = VERSION,
        status: str = "FINISHED",
        metric: str = "valid/accuracy",
        seeds: int = 3,
    ) -> str:
        run = store.start_run(store.experiment(name), name="r", tags={"kind": "rerun"})
        result: dict[str, Any] = {
            "pipeline": name,
            "params": {"width": width},
            "epochs": epochs,
            "data_fingerprint": data,
            **({} if protocol is None else {"protocol": protocol}),
            "rows": [{"metrics": {metric: seeds * [value], "test/accuracy": seeds * [1 - value]}}],
        }
        store.log_text(run, json.dumps(result), "results.json")
        store.end_run(run, status)
        return run

    return made


def best(store: Store, name: str = "mnist_supervised") -> str | None:
    found = best_rerun(store, store.experiment(name))
    return found.run.run_id if found else None


def test_the_best_on_validation_images_whenever_it_was_made(store: Store, add: Add) -> None:
    assert best(store) is None
    long = add(0.99, epochs=30)
    assert best(store) == long
    add(0.95, epochs=2)
    add(0.98, width=8)
    assert best(store) == long, "a later and shorter training hides nothing"
    better = add(0.995, width=64)
    assert best(store) == better
    assert len(finished_reruns(store, store.experiment("mnist_supervised"))) == 4


def test_of_equal_configurations_the_latest(store: Store, add: Add) -> None:
    """With more seeds its mean may well be lower, and is the one to be trusted."""
    add(0.99)
    more = add(0.98)
    assert best(store) == more


def test_a_single_seed_hides_no_mean_of_several(store: Store, add: Add) -> None:
    """The best of many configurations trained once is the one with the luckiest seed."""
    lucky = add(0.991, width=8, seeds=1)
    assert best(store) == lucky, "where there is nothing else"
    sure = add(0.99, width=16)
    add(0.992, width=32, seeds=1)
    assert best(store) == sure


def test_what_is_not_finished_or_of_other_data_does_not_count(store: Store, add: Add) -> None:
    add(0.999, width=8, data="other")
    add(0.998, width=32, status="FAILED")
    mine = add(0.9)
    assert best(store) == mine


def test_what_another_protocol_measured_does_not_count(store: Store, add: Add) -> None:
    """Its numbers may be higher for no other reason. Before it was recorded, it was version 1."""
    old = [add(0.998, width=8, protocol=None), add(0.999, width=24, protocol=1)]
    assert best(store) is None
    mine = add(0.9)
    add(0.999, width=32, protocol=VERSION + 1)
    assert best(store) == mine
    found = best_rerun(store, store.experiment("mnist_supervised"), protocol=1)
    assert found is not None and found.run.run_id == old[1]


def test_each_pipeline_is_judged_by_its_own_metric(store: Store, add: Add) -> None:
    add(-120.0, name="mnist_vae", metric="valid/elbo")
    better = add(-100.0, name="mnist_vae", width=32, metric="valid/elbo")
    add(-110.0, name="mnist_vae", width=48, metric="valid/elbo")
    assert best(store, "mnist_vae") == better

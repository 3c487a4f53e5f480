"""A process of trials, driven by hand to the end of one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from search.spaces.pipeline import Pipeline, load_pipeline
from search.trials.config import TrialConfig
from search.trials.process import TrialProcess
from trainers.data import TrainingData


def worker(config: TrialConfig, data: TrainingData, folder: Path) -> TrialProcess:
    """A process that has begun with this trial and writes every checkpoint."""
    made = TrialProcess(data, folder, worth=0)
    made.begin(config.to_json())
    return made


def finish(made: TrialProcess) -> list[dict[str, Any]]:
    """All results that are left of its trial."""
    results = [made.step()]
    while not results[-1].get("done"):
        results.append(made.step())
        assert len(results) < 20
    return results


def told(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What must be equal: not where the weights are, nor what a process needed."""
    left_out = ("time/", "memory/", "weights", "metrics")
    flat = [{**r, **r.get("metrics", {})} for r in results]
    return [{k: v for k, v in r.items() if not k.startswith(left_out)} for r in flat]


def with_loss(
    change: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> Callable[..., Pipeline]:
    """Load pipelines as usual, but for the loss of their methods."""

    def load(record: Mapping[str, Any]) -> Pipeline:
        pipeline = load_pipeline(record["pipeline"])

        def build(params: Any, spec: Any) -> Any:
            method: Any = pipeline.builder()(params, spec)
            method.loss = change(method.loss)
            return method

        return dataclasses.replace(pipeline, build=build)

    return load

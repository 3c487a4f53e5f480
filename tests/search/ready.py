"""Ready-made parts: mini data of few images, a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from search import rerun
from search.finals.plan import FinalPlan, make_plan, open_store
from search.spaces.pipeline import Scalar, load_pipeline, pipeline_names
from search.tracking.store import Store
from search.trials.config import TrialConfig
from tests.stores import prepare
from trainers.data import LabelledImages, TrainingData, load_training

# The pipelines for any images are built as these.
BUILT_IN = [name for name in pipeline_names() if load_pipeline(name).dataset]


@cache
def few(dataset: str) -> TrainingData:
    """Mini data cut down to 120 training and 40 validation images."""
    data = load_training(dataset, mini=True, train_size=120)
    valid = LabelledImages(data.valid.images[:40].copy(), data.valid.labels[:40].copy())
    return replace(data, valid=valid)


def make_config(
    pipeline: str = "mnist_supervised",
    changes: Mapping[str, Scalar] | None = None,
    **fields: Any,
) -> TrialConfig:
    """One that trains in a moment, with these parameters and other fields changed."""
    small = {"width": 4, "depth": 3, "batch_size": 40}
    params = {**load_pipeline(pipeline).defaults, **small, **(changes or {})}
    values = {"trial_id": "abc123abc123", "number": 0, "study": "s", "seed": 7, "epochs": 2}
    return TrialConfig(**{**values, "pipeline": pipeline, "params": params, **fields})


def planned(folder: Path, *more: str) -> tuple[FinalPlan, Store]:
    """A rerun of a small configuration of mnist_contrastive, as `rerun.py` plans it there."""
    name = "mnist_contrastive"
    best = {"pipeline": name, "params": {**load_pipeline(name).defaults, "width": 4}, "epochs": 1}
    (prepare(folder) / "best.json").write_text(json.dumps(best))
    words = ["--pipeline", name, "--data", "mini", "--config", "best.json", *more]
    options = rerun.parser().parse_args(words)
    with chdir(folder):
        store = open_store(options)
        return make_plan(options, name, store), store

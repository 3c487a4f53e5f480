"""How fast a configuration trains here, from a few steps of it."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch

from models import parameter_count
from search import recipes
from search.pipeline import Pipeline, Scalar
from search.resources import Resources
from trainers.data import DATASETS, LabelledImages, TrainingData
from trainers.loop import DeviceImages, fit

STEPS = 4  # the first step of a configuration chooses kernels, so some follow it


def time_training(
    pipeline: Pipeline,
    params: Mapping[str, Scalar],
    data: TrainingData,
    resources: Resources,
    *,
    seed: int,
) -> tuple[float, float]:
    """(training images per second, MiB of weights), timed alone with a trial's threads."""
    device = torch.device(resources.device)
    settings = recipes.optimisation(params)
    count = settings.batch_size
    rows = np.arange(count) % len(data.train)
    batch = DeviceImages.load(
        LabelledImages(images=data.train.images[rows], labels=data.train.labels[rows]), device
    )
    torch.manual_seed(seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(resources.cpus_per_trial)
    try:
        method = pipeline.build(params, DATASETS[pipeline.dataset])
        assert isinstance(method, torch.nn.Module)
        method.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        timings = []
        start = time.perf_counter()
        for _ in fit(
            method, batch, settings, epochs=STEPS, seed=seed, precision=resources.precision
        ):
            timings.append(time.perf_counter() - start)
            start = time.perf_counter()
    finally:
        torch.set_num_threads(threads)
    return count / min(timings[1:]), parameter_count(method) * 4 / 2**20

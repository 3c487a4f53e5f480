"""Measure how fast a configuration trains here, from a few steps."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch

from models import parameter_count
from search.cluster.resources import Resources
from search.spaces import builders
from search.spaces.pipeline import Pipeline, Scalar
from trainers.data import LabelledImages, TrainingData
from trainers.loop import DeviceImages, fit

STEPS = 4  # the first step of a configuration chooses kernels and is not timed


def time_training(
    pipeline: Pipeline,
    params: Mapping[str, Scalar],
    data: TrainingData,
    resources: Resources,
    *,
    seed: int,
) -> tuple[float, float]:
    """(training images per second, MiB of weights) of one trial alone, with its threads."""
    device = torch.device(resources.driver_device)
    settings = builders.optimisation(params)
    count = settings.batch_size
    rows = np.arange(count) % len(data.train)
    batch = DeviceImages.load(
        LabelledImages(images=data.train.images[rows], labels=data.train.labels[rows]), device
    )
    torch.manual_seed(seed)
    threads = torch.get_num_threads()
    torch.set_num_threads(resources.cpus_per_trial)
    try:
        method = pipeline.method(params).to(device).to(memory_format=torch.channels_last)
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

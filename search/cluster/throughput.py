"""Measure how fast a configuration trains here, from a few steps."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from models import parameter_count
from search.cluster.resources import Resources
from search.spaces import builders
from search.spaces.pipeline import Pipeline, Scalar
from trainers.data import LabelledImages, TrainingData
from trainers.loop import DeviceImages, fit
from trainers.methods import Method
from trainers.optimisation import Optimisation
from trainers.precision import Precision

STEPS = 4  # the first step of a configuration chooses kernels and is not timed
TOGETHER = 20  # steps of each where several share a GPU, so that they meet


def time_training(
    pipeline: Pipeline,
    params: Mapping[str, Scalar],
    data: TrainingData,
    resources: Resources,
    *,
    seed: int,
) -> tuple[float, float]:
    """(training images per second, MiB of weights) of one trial with its threads.

    Alone on its CPUs; on a GPU that trials share, beside as many others.
    """
    count = builders.optimisation(params).batch_size
    rows = np.arange(count) % len(data.train)
    batch = LabelledImages(images=data.train.images[rows], labels=data.train.labels[rows])
    sharers = resources.sharers if resources.driver_device == "cuda" else 1
    work = pipeline, params, batch, resources, seed
    if sharers == 1:
        times, size = _time(*work, STEPS)
        return count / min(times), size  # whatever else the machine does only adds time
    context = multiprocessing.get_context("spawn")
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(sharers, mp_context=context) as pool,
    ):
        meet = manager.Barrier(sharers)
        each = [pool.submit(_time, *work, TOGETHER, meet.wait) for _ in range(sharers)]
        timed = [one.result() for one in each]
    return count / float(np.median([times for times, _ in timed])), timed[0][1]


def _time(
    pipeline: Pipeline,
    params: Mapping[str, Scalar],
    images: LabelledImages,
    resources: Resources,
    seed: int,
    steps: int,
    meet: Callable[[], object] = lambda: None,
) -> tuple[list[float], float]:
    """(seconds of each step, MiB of weights); `meet` returns when all others are as far."""
    device = torch.device(resources.driver_device)
    batch = DeviceImages.load(images, device)
    torch.manual_seed(seed)
    with threads(resources.cpus_per_trial):
        method = pipeline.method(params).to(device).to(memory_format=torch.channels_last)
        settings = builders.optimisation(params)
        meet()
        times = step_times(method, batch, settings, resources.precision, steps)
    return times, parameter_count(method) * 4 / 2**20


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads while entered."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def step_times(
    method: Method,
    batch: DeviceImages,
    settings: Optimisation,
    precision: Precision,
    steps: int = STEPS,
) -> list[float]:
    """Seconds of the steps of a training of one batch, but for the first."""
    timings = []
    start = time.perf_counter()
    for _ in fit(method, batch, settings, epochs=steps, seed=0, precision=precision):
        timings.append(time.perf_counter() - start)
        start = time.perf_counter()
    return timings[1:]

"""What a trial takes, measured where it will run: the faster precision, and its share of a GPU."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from search.pipeline import Params, load_pipeline
from search.resources import gpu_count, gpu_share
from trainers.precision import Precision, fastest_precision


@dataclass(frozen=True, kw_only=True)
class Question:
    """What to measure.

    Attributes:
        device: `cpu` or `cuda`.
        threads: of one trial, on a CPU.
        pipeline, params: the largest model, whose memory is measured on a GPU; None: it is not.
    """

    device: str
    threads: int
    pipeline: str
    params: Params | None


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was measured.

    Attributes:
        gpus: that torch finds there.
        precision: the faster one.
        peak_gib, total_gib: of the GPU's memory; 0 where none was measured.
    """

    gpus: int
    precision: Precision
    peak_gib: float = 0.0
    total_gib: float = 0.0

    def share(self, *, most: int) -> float:
        """The fraction of a GPU that a trial of the measured model needs, at least 1 / `most`."""
        return gpu_share(self.peak_gib, self.total_gib, most=most)


Where = Callable[[Question], Survey]  # asks on this machine, or on a node of a cluster


def here(question: Question) -> Survey:
    """Measure on this machine.

    A GPU is measured in a process that ends with its CUDA context, so that the search finds the
    whole memory free.
    """
    if question.device == "cpu":
        return measure(question)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, question).result()


def measure(question: Question) -> Survey:
    """Measure in this process; without a GPU where one is asked for, only say so."""
    import torch

    gpus = gpu_count()
    if question.device == "cuda" and not gpus:
        return Survey(gpus=0, precision="float32")
    precision = fastest_precision(torch.device(question.device), threads=question.threads)
    if question.device == "cpu" or question.params is None:
        return Survey(gpus=gpus, precision=precision)
    peak, total = _memory(question.pipeline, question.params, precision)
    return Survey(gpus=gpus, precision=precision, peak_gib=peak, total_gib=total)


def _memory(pipeline: str, params: Params, precision: Precision) -> tuple[float, float]:
    """(peak of three training steps and the resident images, total) in GiB."""
    import torch

    from search import recipes
    from trainers.data import DATASETS
    from trainers.loop import DeviceImages, fit

    definition = load_pipeline(pipeline)
    spec = DATASETS[definition.dataset]
    device = torch.device("cuda")
    settings = recipes.optimisation(params)
    shape = (max(60_000, 3 * settings.batch_size), spec.channels, spec.size, spec.size)
    images = torch.zeros(shape, dtype=torch.uint8, device=device)
    labels = torch.zeros(len(images), dtype=torch.int64, device=device)
    method = definition.build(params, spec).to(device, memory_format=torch.channels_last)  # type: ignore[attr-defined]
    few = DeviceImages(
        images=images[: 3 * settings.batch_size], labels=labels[: 3 * settings.batch_size]
    )
    for _ in fit(method, few, settings, epochs=1, seed=0, precision=precision):
        pass
    total = torch.cuda.get_device_properties(device).total_memory
    return torch.cuda.max_memory_reserved() / 2**30, total / 2**30

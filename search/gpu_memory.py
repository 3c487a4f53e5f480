"""How much of a GPU one trial takes: measured, in a process of its own that goes away after."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from search.pipeline import Params, load_pipeline
from search.resources import gpu_share
from search.spaces import Space, largest


def measured_share(
    pipeline: str, space: Space, defaults: Params, *, precision: str, most: int
) -> float:
    """The fraction of a GPU for a trial of the space's largest model, at least 1 / `most`.

    The process that measures ends with its CUDA context, so that the search finds the whole
    memory free.
    """
    params = largest(space, defaults)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        peak, total = pool.submit(_peak_gib, pipeline, dict(params), precision).result()
    return gpu_share(peak, total, most=most)


def _peak_gib(pipeline: str, params: Params, precision: str) -> tuple[float, float]:
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
    for _ in fit(method, few, settings, epochs=1, seed=0, precision=precision):  # type: ignore[arg-type]
        pass
    total = torch.cuda.get_device_properties(device).total_memory
    return torch.cuda.max_memory_reserved() / 2**30, total / 2**30

"""Measure where a trial will run: the faster precision, and the trial's share of a GPU."""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import platform
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from search.cluster.resources import Resources, gpu_count
from search.errors import Failure, UserError
from search.files import durable
from search.spaces.pipeline import Params, pipeline_of

if TYPE_CHECKING:
    from search.spaces.pipeline import Pipeline
    from trainers.data import DatasetSpec
    from trainers.loop import DeviceImages
    from trainers.methods import Method
    from trainers.precision import Precision

IMAGES = 60_000  # of a data set, or a few more
CONTEXT_GIB = 0.6  # CUDA itself takes this in each process, beside torch's own memory
HEADROOM = 1.25  # allocations differ from trial to trial; running out costs a whole trial
FILE = "precision.json"  # in the folder of all stores


@dataclass(frozen=True, kw_only=True)
class ProfileRequest:
    """A request to measure.

    Attributes:
        device: `cpu` or `cuda`.
        threads: the threads of one trial, on a CPU.
        pipeline, params: the largest model, to measure its memory on a GPU; with `params` None the
            memory is not measured.
        images: what is trained on, where that is not the pipeline's own data set.
        source: the text that defines a user's own pipeline.
    """

    device: str
    threads: int
    pipeline: str
    params: Params | None
    images: DatasetSpec | None = None
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class TrialProfile:
    """The measured profile.

    Attributes:
        gpus: the number of GPUs that torch finds.
        precision: the faster number format.
        peak_gib, total_gib: of the GPU's memory what a trial uses, and what nobody else does; 0 if
            not measured.
    """

    gpus: int
    precision: Precision
    peak_gib: float = 0.0
    total_gib: float = 0.0

    def share(self, *, limit: int) -> float:
        """The fraction of a GPU that one trial needs: 1 / n, if n trials fit, n at most `limit`.

        Ray counts fractions and does not limit memory. So the fraction comes from the measured peak
        of the largest model.
        """
        needed = self.peak_gib * HEADROOM + CONTEXT_GIB
        return 1 / max(1, min(limit, math.floor(self.total_gib / needed)))


def recall(home: Path, request: ProfileRequest) -> TrialProfile | None:
    """The profile that a search measured before on the same machine; None if it measures anew.

    So that a search imports torch, which takes a second, in its workers only.
    """
    try:
        known = json.loads((home / FILE).read_bytes())
        same = request.device == "cpu" and known["measured on"] == _place(request.threads)
        if same and known["precision"] in ("float32", "bfloat16"):
            return TrialProfile(gpus=0, precision=known["precision"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def remember(home: Path, resources: Resources) -> None:
    """Keep what was measured on a CPU, for `recall`."""
    place = _place(resources.cpus_per_trial)
    if resources.device == "cpu":
        known = {"measured on": place, "precision": resources.precision}
        durable.write(home / FILE, json.dumps(known, indent=2))


def _place(threads: int) -> str:
    """What the faster precision depends on: torch, the processor, its instructions, threads."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = [platform.platform(), platform.processor()]
    else:
        names = ("model name", "flags", "Features")
        lines = sorted({line for line in lines if line.startswith(names)})
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    described = "\n".join([version("torch"), *lines, limit, str(threads)])
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def profile_locally(request: ProfileRequest) -> TrialProfile:
    """Measure on this machine.

    A GPU is measured in a separate process, whose CUDA context ends with it, so that the search
    finds the whole memory free.

    Raises:
        UserError: there is a GPU, and it cannot be used.
    """
    if request.device == "cpu":
        return measure(request)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(measure, request).result()
        except UserError:
            raise
        except Exception as error:  # out of memory, or torch was not built for this GPU
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise Failure(
                f"a GPU is here and cannot train: {reason[:300]}\n"
                "see who uses it with nvidia-smi, or train on CPUs with --device cpu"
            ) from None


def measure(request: ProfileRequest) -> TrialProfile:
    """Measure in this process; if the request needs a GPU and there is none, return `gpus=0`."""
    import torch

    from trainers.precision import fastest_precision

    gpus = gpu_count()
    if request.device == "cpu":
        precision = fastest_precision(torch.device("cpu"), threads=request.threads)
        return TrialProfile(gpus=gpus, precision=precision)
    if not gpus:
        return TrialProfile(gpus=0, precision="float32")
    pipeline = pipeline_of(vars(request)).on(request.images)
    precision = _faster_for(pipeline)
    if request.params is None:
        return TrialProfile(gpus=gpus, precision=precision)
    peak, total = _memory(pipeline, request.params, precision)
    return TrialProfile(gpus=gpus, precision=precision, peak_gib=peak, total_gib=total)


def _faster_for(pipeline: Pipeline, where: str = "cuda") -> Precision:
    """The precision in which a pipeline's defaults train faster."""
    from search.cluster.throughput import step_times
    from search.spaces import builders
    from trainers.precision import DTYPES, faster

    settings = builders.optimisation(pipeline.defaults)
    method, batch = drawn(pipeline, pipeline.defaults, settings.batch_size, where)
    return faster({one: min(step_times(method, batch, settings, one)) for one in DTYPES})


def _memory(
    pipeline: Pipeline, params: Params, precision: Precision, where: str = "cuda"
) -> tuple[float, float]:
    """(peak of three training steps and of all measurements, what is free for trials) in GiB."""
    import torch

    from search.spaces import builders
    from trainers.evaluation import evaluate
    from trainers.loop import fit

    settings = builders.optimisation(params)
    free = torch.cuda.mem_get_info(where)[0] / 2**30 + CONTEXT_GIB  # this process has its own
    count = max(IMAGES, 3 * settings.batch_size)
    method, images = drawn(pipeline, params, count, where)
    few = images.first(3 * settings.batch_size)
    for _ in fit(method, few, settings, epochs=1, seed=0, precision=precision):
        pass
    valid, classes = images.first(count // 10), len(pipeline.spec.classes)
    evaluate(method, images, valid, classes=classes, seed=0, precision=precision, final=True)
    return torch.cuda.max_memory_reserved() / 2**30, free


def drawn(
    pipeline: Pipeline, params: Params, count: int, where: str
) -> tuple[Method, DeviceImages]:
    """A method with fresh weights, and so many random images for it."""
    import torch

    from trainers.loop import DeviceImages

    spec, device = pipeline.spec, torch.device(where)
    shape = (count, spec.channels, spec.size, spec.size)
    images = DeviceImages(
        images=torch.randint(256, shape, dtype=torch.uint8, device=device),
        labels=torch.randint(len(spec.classes) or 1, (count,), device=device),
    )
    return pipeline.method(params).to(device, memory_format=torch.channels_last), images

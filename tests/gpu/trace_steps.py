"""Prints a line of JSON for each pipeline and precision: a step on CUDA, and if all is measured.

python tests/gpu/trace_steps.py STAND_IN.so
"""

# ruff: noqa: E402
from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
found = importlib.util.find_spec("torch")
assert found and found.origin
libraries = Path(found.origin).parent / "lib"
for library in (libraries / "libc10.so", libraries / "libtorch_cpu.so", Path(sys.argv[1])):
    ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)

import torch

from search.spaces import builders
from search.spaces.pipeline import load_pipeline, pipeline_names
from tests.gpu.fake_cuda import CUDA, fake_cuda
from trainers.augmentation import colour
from trainers.data import DATASETS
from trainers.evaluation import evaluate
from trainers.loop import DeviceImages, fit
from trainers.precision import DTYPES


def trace(name: str, precision: Any) -> dict[str, Any]:
    """Launches and faults of a step; then all is measured, which may read from the device."""
    pipeline = load_pipeline(name)
    spec, settings = DATASETS[pipeline.dataset], builders.optimisation(pipeline.defaults)
    colour._basis.cache_clear()
    with fake_cuda() as watch:
        count = 2 * settings.batch_size
        shape = (count, spec.channels, spec.size, spec.size)
        data = DeviceImages(
            images=torch.zeros(shape, dtype=torch.uint8, device=CUDA),
            labels=torch.zeros(count, dtype=torch.int64, device=CUDA),
        )
        method = pipeline.method(pipeline.defaults).to(CUDA, memory_format=torch.channels_last)
        training = fit(method, data, settings, epochs=1, seed=0, precision=precision)
        run = training._run

        def second() -> None:
            watch.on = watch.launches == 0 and bool(started)
            started.append(True)
            run()
            watch.on = False

        started: list[bool] = []
        training._run = second
        next(training)
        if precision == "bfloat16":  # float32 has no rules of its own
            few, classes = data.first(200), len(spec.classes)
            evaluate(method, few, few, classes=classes, seed=0, precision=precision, final=True)
    return {"launches": watch.launches, "faults": dict(watch.faults)}


for name in sys.argv[2:] or pipeline_names():
    for precision in DTYPES:
        try:
            traced = trace(name, precision)
        except Exception as error:
            traced = {"launches": 0, "faults": {f"{type(error).__name__}: {error}": 1}}
        print(json.dumps({"pipeline": name, "precision": precision, **traced}), flush=True)

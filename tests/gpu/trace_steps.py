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
from search.trials.config import TrialConfig
from search.trials.trial import Trial, TrialImages
from tests.gpu.fake_cuda import CUDA, fake_cuda
from trainers.augmentation import colour
from trainers.loop import DeviceImages
from trainers.precision import DTYPES


def trace(name: str, precision: Any, **changes: Any) -> dict[str, Any]:
    """Launches and faults of a step of a trial, which then measures all and gives its weights."""
    pipeline = load_pipeline(name)
    params = {**pipeline.defaults, **changes}
    spec, settings = pipeline.spec, builders.optimisation(params)
    colour._basis.cache_clear()
    config = TrialConfig(
        trial_id="t",
        number=0,
        study="s",
        pipeline=name,
        params=params,
        seed=0,
        epochs=1,
        precision=precision,
        device="cuda",
    )
    with fake_cuda() as watch:
        count = 2 * settings.batch_size
        shape = (count, spec.channels, spec.size, spec.size)
        data = DeviceImages(
            images=torch.zeros(shape, dtype=torch.uint8, device=CUDA),
            labels=torch.zeros(count, dtype=torch.int64, device=CUDA),
        )
        trial = Trial(config, TrialImages(spec=spec, train=data, valid=data.first(200)))
        training: Any = trial._training
        run = training._run

        def second() -> None:
            watch.on = watch.launches == 0 and bool(started)
            started.append(True)
            run()
            watch.on = False

        started: list[bool] = []
        training._run = second
        if precision == "float32":  # which has no rules of its own
            next(training)
        else:
            [last] = trial.epochs()
            assert "valid/linear_accuracy" in last
            assert {one.device.type for one in trial.weights.values()} == {"cpu"}
            assert trial.state_dict()["training"]["device"] == "cuda"
    return {"launches": watch.launches, "faults": dict(watch.faults)}


names = sys.argv[2:] or [name for name in pipeline_names() if load_pipeline(name).dataset]
wanted = [{"name": name, "precision": precision} for name in names for precision in DTYPES]
for optimizer in ("adamw", "sgd"):  # not the default
    wanted.append({"name": "cifar_supervised", "precision": "float32", "optimizer": optimizer})
for each in wanted:
    try:
        traced = trace(**each)
    except Exception as error:
        traced = {"launches": 0, "faults": {f"{type(error).__name__}: {error}": 1}}
    print(json.dumps({**each, **traced}), flush=True)

"""What no search can start faster than: the floor under the figures of `orchestration.py`.

    python benchmarks/floor.py

Starts Ray as its guide does and a worker that imports torch, imports torch, Ray Tune, Optuna and
MLflow meanwhile, and stops Ray. Prints seconds from the start of the program as JSON: `ready` when
all is there, `stopped` at the end.
"""

import importlib
import json
import logging
import os
import time

began = time.perf_counter()
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "MLFLOW_DISABLE_TELEMETRY": "true"}

import ray

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)


@ray.remote
class Worker:
    """A process that has what a trial needs."""

    def answer(self) -> float:
        """When torch is there."""
        return float(importlib.import_module("torch").ones(3).sum())


answer = Worker.remote().answer.remote()  # type: ignore[attr-defined]

import mlflow.tracking  # noqa: F401
import optuna  # noqa: F401
import ray.tune
import torch  # noqa: F401

ray.get(answer)
ready = time.perf_counter() - began
ray.shutdown()
print(json.dumps({"ready": ready, "stopped": time.perf_counter() - began}))

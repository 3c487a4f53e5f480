"""How Ray packs trials onto GPUs. Nobody uses them, so that it is enough to count them."""

from __future__ import annotations

import json

import pytest

from tests import commands

PACKED = r"""
import json, os

from search.cluster import ray_session
ray_session.prepare_environment()

import ray
from search.cluster.resources import share
from trainers.data import load_training

resources = share(device="cuda", precision="float32", cpus=9, gpus=2, concurrency=None,
                  cpus_per_trial=None, gpus_per_trial=0.5)
ray_session.start(resources, load_training("mnist", mini=True, train_size=100))

class Trial:
    def sees(self):
        return os.environ["CUDA_VISIBLE_DEVICES"]

takes = {"num_cpus": resources.cpus_per_trial, "num_gpus": resources.gpus_per_trial}
trials = [ray.remote(**takes)(Trial).remote() for _ in range(resources.concurrency)]
seen = ray.get([trial.sees.remote() for trial in trials], timeout=120)
left = ray.available_resources()
print(json.dumps([seen, left.get("GPU", 0), left.get("CPU", 0)]))
"""


@pytest.mark.slow
def test_trials_lie_evenly_on_gpus_and_each_sees_one() -> None:
    """Two on each of two GPUs, with two of nine CPUs each; the ninth is the driver's."""
    done = commands.cold(PACKED)
    assert done.status == 0, done.err
    seen, gpus, cpus = json.loads(done.out.splitlines()[-1])
    assert sorted(seen) == ["0", "0", "1", "1"]
    assert (gpus, cpus) == (0, 0), "there is no room for a fifth"

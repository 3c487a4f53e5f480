"""What a trial takes, measured where it will run."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch

from search.cluster import allocation, profile_trial, throughput
from search.cluster.profile_trial import CONTEXT_GIB, ProfileRequest, TrialProfile
from search.cluster.resources import Resources
from search.errors import UserError
from search.spaces.pipeline import load_pipeline
from trainers import evaluation
from trainers.precision import DTYPES

OPTIONS = Namespace(
    address=None,
    device="auto",
    pipeline="mnist_supervised",
    concurrency=None,
    cpus_per_trial=None,
    gpus_per_trial=None,
)


def planned(**changes: object) -> Resources:
    """What a search with these options is given."""
    options, pipeline = Namespace(**{**vars(OPTIONS), **changes}), load_pipeline(OPTIONS.pipeline)
    return allocation.plan_resources(options, options.pipeline, pipeline.space, pipeline.defaults)


def request(device: str = "cpu") -> ProfileRequest:
    return ProfileRequest(device=device, threads=1, pipeline="mnist_supervised", params=None)


def test_a_cpu_is_measured_in_this_process() -> None:
    found = profile_trial.profile_locally(request())
    assert found.precision in DTYPES
    assert found.total_gib == 0


def test_a_measured_precision_holds_for_this_machine_torch_and_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert profile_trial.recall(tmp_path, request()) is None
    measured = Resources(concurrency=2, precision="bfloat16")
    profile_trial.remember(tmp_path, measured)
    assert profile_trial.recall(tmp_path, request()) == TrialProfile(gpus=0, precision="bfloat16")
    assert profile_trial.recall(tmp_path, replace(request(), threads=2)) is None
    assert profile_trial.recall(tmp_path, request("cuda")) is None
    with monkeypatch.context() as patched:
        patched.setattr(profile_trial, "version", lambda library: "0.1")
        assert profile_trial.recall(tmp_path, request()) is None, "another torch"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert profile_trial.recall(tmp_path, request()) is None, "without the instructions"
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    file = tmp_path / profile_trial.FILE
    whole = file.read_text()
    assert profile_trial.recall(tmp_path, request()) is not None
    for damaged in ("{", whole.replace("bfloat16", "int8")):
        file.write_text(damaged)
        assert profile_trial.recall(tmp_path, request()) is None, damaged


def test_a_system_without_cpuinfo_has_a_place_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_text

    def lacking(path: Path, *more: Any, **options: Any) -> str:
        if path.name == "cpuinfo":
            raise FileNotFoundError
        return read(path, *more, **options)

    measured = Resources()
    monkeypatch.setattr(Path, "read_text", lacking)
    profile_trial.remember(tmp_path, measured)
    assert profile_trial.recall(tmp_path, request()) == TrialProfile(gpus=0, precision="float32")


def test_a_missing_gpu_is_said_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node answers so, and the driver knows its name."""
    monkeypatch.setattr(profile_trial, "gpu_count", lambda: 0)
    assert profile_trial.measure(request("cuda")).gpus == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_memory_of_a_gpu_is_measured_in_a_process_that_ends() -> None:
    pipeline = load_pipeline("mnist_supervised")
    asked = ProfileRequest(
        device="cuda", threads=1, pipeline="mnist_supervised", params=dict(pipeline.defaults)
    )
    before = torch.cuda.mem_get_info()[0]
    found = profile_trial.profile_locally(asked)
    assert 0 < found.peak_gib < found.total_gib
    assert torch.cuda.mem_get_info()[0] == pytest.approx(before, rel=0.01)


def test_a_machine_with_a_gpu_is_planned_by_what_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[ProfileRequest] = []

    def profile_locally(request: ProfileRequest) -> TrialProfile:
        asked.append(request)
        return TrialProfile(gpus=1, precision="bfloat16", peak_gib=20.0, total_gib=80.0)

    monkeypatch.setattr(profile_trial, "profile_locally", profile_locally)
    monkeypatch.setattr(allocation, "gpu_count", lambda: 1)
    monkeypatch.setattr(allocation, "cpu_count", lambda: 16)
    made = planned()
    assert (made.device, made.precision, made.concurrency) == ("cuda", "bfloat16", 3)
    assert asked[0].params is not None, "the largest model is measured"
    assert planned(gpus_per_trial=0.5).concurrency == 2
    assert asked[1].params is None, "a share that was given is not measured"
    monkeypatch.setattr(allocation, "gpu_count", lambda: 8)
    made = planned()
    assert (made.concurrency, made.gpus_per_trial) == (15, 0.5), "two of 16 CPUs for each GPU"


def test_a_cluster_is_planned_by_what_its_nodes_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver has no GPU; its own machine is not asked."""
    monkeypatch.setattr(allocation, "gpu_count", lambda: 0)
    monkeypatch.setattr(allocation.ray_session, "join", lambda address: (32, 2))
    monkeypatch.setattr(profile_trial, "profile_locally", lambda request: pytest.fail("asked here"))
    monkeypatch.setattr(
        allocation.nodes,
        "profile",
        lambda request: TrialProfile(gpus=1, precision="bfloat16", peak_gib=30.0, total_gib=80.0),
    )
    made = planned(address="10.0.0.5:6379")
    assert (made.device, made.gpus_per_trial, made.concurrency) == ("cuda", 0.5, 4)
    assert made.gpus == 2


@pytest.mark.parametrize(("slower", "chosen"), [(1.1, "float32"), (0.9, "bfloat16")])
def test_a_gpu_is_asked_for_steps_of_the_pipelines_defaults(
    slower: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU here; their times are given."""
    defaults, asked = load_pipeline("mnist_supervised").defaults, []

    def step_times(method: Any, batch: Any, settings: Any, precision: str) -> list[float]:
        asked.append(precision)
        assert len(batch) == settings.batch_size == defaults["batch_size"]
        assert torch.isfinite(method.loss(batch.images[:9] / 255, batch.labels[:9], None))
        return [3.0, slower if precision == "bfloat16" else 1.0]

    monkeypatch.setattr(throughput, "step_times", step_times)
    assert profile_trial._faster_for(load_pipeline("mnist_supervised"), "cpu") == chosen
    assert asked == list(DTYPES)


def test_the_memory_is_that_of_training_and_of_all_measurements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """CUDA's calls replaced, on a CPU: the largest of the two counts, and others' memory not."""
    pipeline = load_pipeline("mnist_supervised")
    params = {**pipeline.defaults, "width": 4, "batch_size": 40}
    done = []
    monkeypatch.setattr(profile_trial, "IMAGES", 120)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * 2**30, 8 * 2**30))
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 2**30 * len(done))
    real = evaluation.evaluate

    def evaluate(*given: Any, **named: Any) -> Any:
        done.append((len(given[1]), len(given[2]), named["final"]))
        return real(*given, **named)

    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    found = profile_trial._memory(pipeline, params, "float32", "cpu")
    assert found == (1.0, 3.0 + CONTEXT_GIB)
    assert done == [(120, 12, True)]


def test_a_gpu_that_cannot_train_is_told_in_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "CUDA error: no kernel image is available for execution\nCompile with"
    pool = MagicMock()
    submit = pool.return_value.__enter__.return_value.submit
    submit.return_value.result.side_effect = RuntimeError(said)
    monkeypatch.setattr(profile_trial, "ProcessPoolExecutor", pool)
    with pytest.raises(UserError) as caught:
        profile_trial.profile_locally(request("cuda"))
    what, how = str(caught.value).splitlines()
    assert what.endswith("cannot train: CUDA error: no kernel image is available for execution")
    assert "--device cpu" in how and caught.value.status == 1

"""What a trial takes, measured where it will run."""

from __future__ import annotations

from argparse import Namespace

import pytest
import torch

from search import plan, survey
from search.pipeline import load_pipeline
from search.resources import gpu_share
from search.survey import Question, Survey
from trainers.precision import DTYPES

OPTIONS = Namespace(
    address=None,
    device="auto",
    pipeline="mnist_supervised",
    concurrency=None,
    cpus_per_trial=None,
    gpus_per_trial=None,
)


def question(device: str = "cpu") -> Question:
    return Question(device=device, threads=1, pipeline="mnist_supervised", params=None)


def test_a_cpu_is_measured_in_this_process() -> None:
    found = survey.here(question())
    assert found.precision in DTYPES
    assert found.total_gib == 0


def test_the_share_is_that_of_the_measured_memory() -> None:
    found = Survey(gpus=1, precision="bfloat16", peak_gib=3.7, total_gib=80.0)
    assert found.share(most=100) == gpu_share(3.7, 80.0, most=100)
    assert found.share(most=2) == 0.5


def test_a_missing_gpu_is_said_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node answers so, and the driver knows its name."""
    monkeypatch.setattr(survey, "gpu_count", lambda: 0)
    assert survey.measure(question("cuda")).gpus == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_memory_of_a_gpu_is_measured_in_a_process_that_ends() -> None:
    pipeline = load_pipeline("mnist_supervised")
    asked = Question(
        device="cuda", threads=1, pipeline="mnist_supervised", params=dict(pipeline.defaults)
    )
    before = torch.cuda.mem_get_info()[0]
    found = survey.here(asked)
    assert 0 < found.peak_gib < found.total_gib
    assert torch.cuda.mem_get_info()[0] == pytest.approx(before, rel=0.01)


def test_a_machine_with_a_gpu_is_planned_by_what_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = load_pipeline("mnist_supervised")
    asked: list[Question] = []

    def here(question: Question) -> Survey:
        asked.append(question)
        return Survey(gpus=1, precision="bfloat16", peak_gib=20.0, total_gib=80.0)

    monkeypatch.setattr(survey, "here", here)
    monkeypatch.setattr(plan, "gpu_count", lambda: 1)
    monkeypatch.setattr(plan, "cpu_count", lambda: 16)
    made = plan.plan_resources(OPTIONS, pipeline.space, pipeline.defaults)
    assert (made.device, made.precision, made.concurrency) == ("cuda", "bfloat16", 3)
    assert asked[0].params is not None, "the largest model is measured"
    given = Namespace(**{**vars(OPTIONS), "gpus_per_trial": 0.5})
    assert plan.plan_resources(given, pipeline.space, pipeline.defaults).concurrency == 2
    assert asked[1].params is None, "a share that was given is not measured"


def test_a_cluster_is_planned_by_what_its_nodes_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver has no GPU; its own machine is not asked."""
    pipeline = load_pipeline("mnist_supervised")
    joined = Namespace(**{**vars(OPTIONS), "address": "10.0.0.5:6379"})
    monkeypatch.setattr(plan, "gpu_count", lambda: 0)
    monkeypatch.setattr(plan.cluster, "join", lambda address: (32, 2))
    monkeypatch.setattr(survey, "here", lambda question: pytest.fail("asked here"))
    monkeypatch.setattr(
        plan.nodes,
        "survey",
        lambda question: Survey(gpus=1, precision="bfloat16", peak_gib=30.0, total_gib=80.0),
    )
    made = plan.plan_resources(joined, pipeline.space, pipeline.defaults)
    assert (made.device, made.gpus_per_trial, made.concurrency) == ("cuda", 0.5, 4)
    assert made.gpus == 2

"""A real cluster of two nodes on this machine: looked at before a search, one killed during it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import torch
from mlflow.tracking import MlflowClient

from search.cluster import nodes
from search.errors import UserError
from search.study import study as studies
from search.trials import checkpoint
from tests import commands
from tests.processes import descendants, title
from tests.stores import prepare
from tests.studies import trials_of
from trainers.precision import DTYPES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
RAY_START = shlex.split(
    "-m ray.scripts.scripts start --block --num-cpus=1 --object-store-memory=100000000 "
    "--min-worker-port=0 --max-worker-port=0 --dashboard-agent-listen-port=0 --disable-usage-stats"
)
SEARCH = shlex.split(
    "--pipeline mnist_supervised --data mini --train-size 256 --study killed --trials 4 "
    "--epochs 25 --scheduler none --set width=16 --set depth=3 --set batch_size=128"
)
COMMAND = [sys.executable, str(ROOT / "search" / "tune.py"), *SEARCH]
# A dead node is noticed in two seconds, and not in fifteen.
NOTICE = {
    "health_check_period_ms": 500,
    "health_check_failure_threshold": 4,
    "health_check_initial_delay_ms": 2000,
}


@dataclass(frozen=True)
class Cluster:
    """Two nodes of one CPU each, the second said to have a GPU; `environment` lets a driver in."""

    address: str
    environment: Mapping[str, str]
    second: subprocess.Popen[bytes]

    def processes_of_second(self) -> list[int]:
        """The second node's own process and all below it."""
        return [self.second.pid, *descendants(self.second.pid)]


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Cluster]:
    """Nodes that know nothing of this project, with a token of their own."""
    folder = Path(tempfile.mkdtemp(prefix="two"))  # short: sockets lie below it
    (folder / "token").write_text("0123456789abcdef" * 2)
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = {
        **outside,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "LATENT_SEARCH_CHECKPOINT_WORTH": "0",
    }
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (folder / "log").open("wb")

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, *RAY_START, *arguments]
        return subprocess.Popen(words, env=environment, cwd=folder, stdout=log, stderr=log)

    def started() -> int:
        return (folder / "log").read_text().count("Ray runtime started")

    def wait_for(count: int) -> None:
        deadline = time.monotonic() + 900
        while started() < count:
            assert all(node.poll() is None for node in running), (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)

    running = [
        begin(
            "--head",
            f"--port={port}",
            f"--temp-dir={folder / 'r'}",
            "--include-dashboard=false",
            f"--system-config={json.dumps(NOTICE)}",
        )
    ]
    try:
        wait_for(1)
        running.append(begin(f"--address=127.0.0.1:{port}", "--num-gpus=1"))
        wait_for(2)
        yield Cluster(f"127.0.0.1:{port}", environment, running[1])
    finally:
        for node in reversed(running):
            node.terminate()
        for node in running:
            node.wait(timeout=60)
        log.close()
        rmtree(folder, ignore_errors=True)


# Looking at the nodes -----------------------------------------------------------------------------

# Every case in one driver: (name, what is said). It runs in a folder that the nodes do not run in.
LOOK = """
import json, sys
from dataclasses import replace
from pathlib import Path
from search.cluster import ray_session
ray_session.prepare_environment()
import torch
from search.cluster import nodes
from search.errors import UserError
from trainers.precision import DTYPES
from search.cluster.resources import Resources
from search.cluster.profile_trial import ProfileRequest, TrialProfile
from trainers.data import load_training

address = sys.argv[1]
data = load_training("mnist", mini=True, train_size=120)
one = Resources(concurrency=2)

class Broken:
    def digest(self):
        raise ModuleNotFoundError("No module named 'safetensors'")

def said(home=Path("mlruns"), data=data, resources=one):
    try:
        return [vars(seen) for seen in nodes.check(address, home, data, resources)]
    except UserError as error:
        return str(error)

found = {"fine": said(), "digest": data.digest()}
found["broken"] = said(data=Broken())
found["large"] = said(resources=replace(one, cpus_per_trial=2))
found["elsewhere"] = said(home=Path("/proc/self/cwd/mlruns"))

def profiled(device, threads=1):
    try:
        asked = ProfileRequest(device=device, threads=threads, pipeline="", params=None)
        return vars(nodes.profile(asked))
    except UserError as error:
        return str(error)

found["profile"] = profiled("cpu")
found["no gpu"] = profiled("cuda")
found["narrow"] = profiled("cpu", threads=2)
def measure(request):
    import os
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return TrialProfile(gpus=0 if hidden else 1, precision="bfloat16", peak_gib=3, total_gib=80)
nodes.measure = measure
found["gpu"] = profiled("cuda")
def measure(request):
    import ray
    first = ray.get_runtime_context().get_node_id() == min(n["NodeID"] for n in ray.nodes())
    return TrialProfile(gpus=0, precision="bfloat16" if first else "float32")
nodes.measure = measure
found["differ"] = profiled("cpu")

nodes.ANSWER_SECONDS = 0
found["silent"] = said()
ray_session.stop()
json.dump(found, sys.stdout)
"""


@pytest.fixture(scope="module")
def looked(two_nodes: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("driver")
    done = subprocess.run(
        [sys.executable, "-c", LOOK, two_nodes.address],
        cwd=folder,
        env={**two_nodes.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert [entry.name for entry in folder.iterdir()] == ["mlruns"]
    assert list((folder / "mlruns").iterdir()) == [], "nothing is left behind"
    return json.loads(done.stdout)


def test_every_node_sees_what_the_driver_sees(looked: dict[str, Any]) -> None:
    assert len(looked["fine"]) == 2
    for seen in looked["fine"]:
        assert seen["shared"]
        assert seen["torch"] == torch.__version__
        assert seen["digest"] == looked["digest"]
        assert "py_modules_files" in seen["code"], "it comes from the driver"


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("elsewhere", ["does not see /proc/self/cwd/mlruns", "shared disk on all nodes"]),
        ("broken", ["cannot train", "No module named 'safetensors'", "constraints.txt"]),
        ("silent", ["does not answer within 0 s"]),
        # Else its trials would train on CPUs, unasked.
        ("no gpu", ["Ray counts 1 GPU on node ", "--device cpu"]),
    ],
)
def test_a_node_on_which_trials_would_fail_is_named(
    case: str, words: list[str], looked: dict[str, Any]
) -> None:
    said = looked[case]
    assert "node " in said and socket.gethostname() in said
    for each in words:
        assert each in said
    assert len(said.splitlines()) == 2


def test_a_trial_must_fit_on_one_node(looked: dict[str, Any]) -> None:
    """Two nodes of one CPU have two, and a trial of two would wait for ever."""
    assert "none of the cluster's 2 nodes" in looked["large"]
    assert "--cpus-per-trial" in looked["large"]
    assert "a trial takes 2 CPUs, and none of the cluster's 2 nodes" in looked["narrow"]


def test_precision_is_measured_on_the_nodes(looked: dict[str, Any]) -> None:
    assert looked["profile"]["precision"] in DTYPES
    assert looked["differ"]["precision"] == "float32", "bfloat16 must be faster on all of them"


def test_a_gpu_is_shared_by_what_its_own_node_measures(looked: dict[str, Any]) -> None:
    """The driver has none, and a node's GPU is in sight though none of it was asked for."""
    found = looked["gpu"]
    assert (found["gpus"], found["precision"], found["peak_gib"]) == (1, "bfloat16", 3)


def test_the_command_takes_the_clusters_gpus_for_its_own(
    two_nodes: Cluster, tmp_path: Path
) -> None:
    """`--device auto` means cuda where only a node has a GPU; here that one turns out not to be."""
    done = subprocess.run(
        [*COMMAND, "--address", two_nodes.address],
        cwd=tmp_path,
        env=dict(two_nodes.environment),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Ray counts 1 GPU on node" in done.stderr
    assert not list((tmp_path / "mlruns").glob("*")), "nothing is half-made"


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({}, ["cannot write into", "shared disk on all nodes"]),
        (
            {"torch": "1.2.3"},
            [f"has torch 1.2.3, this machine has {torch.__version__}", "constraints"],
        ),
        ({"digest": "0123"}, ["has other data: fingerprint 0123, this machine has d", "numpy"]),
    ],
)
def test_a_node_that_would_train_something_else_is_refused(
    differs: dict[str, str], words: list[str]
) -> None:
    plain = nodes.Seen(shared=True, torch=torch.__version__, digest="d", code="")
    judged = {"home": Path("mlruns"), "written": bool(differs), "digest": "d"}
    with pytest.raises(UserError, match=r"^node n ") as refused:
        nodes._judge("n", replace(plain, **differs), **judged)
    assert all(each in str(refused.value) for each in words)
    assert len(str(refused.value).splitlines()) == 2
    nodes._judge("n", plain, **{**judged, "written": True})


# A node that dies: the last test, for the cluster has one node after it --------------------------


def test_a_search_outlives_a_node(two_nodes: Cluster, tmp_path: Path) -> None:
    """And one of a user's own pipeline, which no node has a file of."""
    home = prepare(tmp_path) / "mlruns"
    (tmp_path / "own.py").write_text("from search.pipelines.mnist_supervised import PIPELINE")
    command = ["own.py" if word == "mnist_supervised" else word for word in COMMAND]
    process = subprocess.Popen(
        [*command, "--address", two_nodes.address, "--device", "cpu"],
        cwd=tmp_path,
        env=dict(two_nodes.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        before = _both_under_way(home, process)
        lost = two_nodes.processes_of_second()
        names = {title(pid) for pid in lost}
        # Ray names a process after its class, or after the method that it is in.
        assert any("TrialWorker" in name or "Trainable.train" in name for name in names), names
        for pid in lost:
            os.kill(pid, signal.SIGKILL)
        kept = {trial: checkpoint.history(_trials(home) / trial) for trial in before}
        longest = dict.fromkeys(kept, 0)
        while process.poll() is None:
            for trial, known in kept.items():
                now = checkpoint.history(_trials(home) / trial)
                longest[trial] = max(longest[trial], len(now))
                # Seconds are in it: the same ones only where nothing was trained again. The last
                # epoch is, if the kill came between its metrics and its checkpoint.
                if now:
                    assert now[: len(known) - 1] == known[:-1]
                if len(now) >= len(known) > 0:
                    assert _without_times(now[len(known) - 1]) == _without_times(known[-1])
            time.sleep(0.1)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "4 of 4 trials (4 complete" in out
    for trial, known in kept.items():
        assert longest[trial] > len(known) > 0, "it went on from its checkpoint"
    trials = trials_of(tmp_path, "killed")
    trained = [trial for trial in trials if not studies.is_duplicate(trial)]
    assert [trial.state.name for trial in trained] == ["COMPLETE"] * 4
    client = MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow.db'}")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(ids, "tags.kind = 'trial'")
    assert sorted(run.data.tags["trial_number"] for run in runs) == ["0", "1", "2", "3"]
    for run in runs:
        assert (run.info.status, run.data.tags["trial_state"]) == ("FINISHED", "COMPLETE")
        history = client.get_metric_history(run.info.run_id, "train/loss")
        assert [metric.step for metric in history] == list(range(1, 26)), "each once"
        assert {"weights.safetensors"} <= {
            entry.path for entry in client.list_artifacts(run.info.run_id)
        }
    assert list(_trials(home).iterdir()) == []


def _without_times(metrics: Mapping[str, float]) -> dict[str, float]:
    return {
        name: value for name, value in metrics.items() if not name.startswith(("time/", "memory/"))
    }


def _trials(home: Path) -> Path:
    return home / "studies" / "killed" / checkpoint.TRIALS


def _both_under_way(home: Path, process: subprocess.Popen[str]) -> set[str]:
    """Ids of the two first trials, once each has a checkpoint: one trains on each node."""

    def found() -> set[str]:
        return {path.parent.name for path in _trials(home).glob(f"*/{checkpoint.FILE}")}

    commands.wait_for(process, lambda: len(found()) == 2)
    return found()

"""Check every node of a joined cluster before a trial trains there.

A worker reads and writes checkpoints and weights below `mlruns/`, gets its images through Ray and
its code from the driver. A folder that is not shared, another torch or other images would break a
search in its middle. A task on every node finds such faults in seconds.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

from search.cluster import ray_session
from search.cluster.profile_trial import ProfileRequest, TrialProfile, measure
from search.cluster.resources import Resources
from search.errors import Failure, UserError
from trainers.data import TrainingData

ANSWER_SECONDS = 120.0  # a node unpacks the code, starts a process and imports torch in it
SHARED_SECONDS = 5.0  # network file systems show a new file a little later


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A node's report.

    Attributes:
        shared: the node read the driver's file in the shared folder.
        digest: the digest of the images and labels as they arrived.
        code: the folder from which the node imported this package.
    """

    shared: bool
    torch: str
    digest: str
    code: str


def look(folder: str, timeout: float, data: TrainingData) -> Seen:
    """Report what the node sees, and create a file named by its id in the folder.

    The driver runs this function on the node.

    Args:
        folder: the driver's folder, with a file `driver` in it.
        timeout: seconds to wait for that file.
    """
    import ray
    import torch

    shared = _appears(Path(folder) / "driver", timeout)
    if shared:  # else the file would stay on a disk that nobody looks at
        with suppress(OSError):  # the driver misses the file and reports that
            (Path(folder) / ray.get_runtime_context().get_node_id()).touch()
    return Seen(
        shared=shared,
        torch=torch.__version__,
        digest=data.digest(),
        code=str(Path(__file__).parents[1]),
    )


def profile(request: ProfileRequest) -> TrialProfile:
    """Measure on every node of the joined cluster that has room; the driver may have none.

    Returns:
        A profile that suits all nodes: bfloat16 if it is faster on each, the largest GPU share.

    Raises:
        UserError: a node cannot measure, or torch does not find its GPU.
    """
    import ray

    wanted = {"GPU": 1} if request.device == "cuda" else {"CPU": request.threads}
    nodes = _with_room(ray.nodes(), wanted)
    profiles = _ask(nodes, measure, request)
    for node, answer in zip(nodes, profiles, strict=True):
        if request.device == "cuda" and not answer.gpus:
            raise Failure(
                f"Ray counts {_plural(node['Resources']['GPU'], 'GPU')} on node {_name(node)}, "
                "and torch finds none there\n"
                "install a CUDA build of torch on it, or train on CPUs with --device cpu"
            )
    fullest = max(profiles, key=lambda answer: answer.peak_gib / (answer.total_gib or 1.0))
    agreed = all(answer.precision == "bfloat16" for answer in profiles)
    return replace(fullest, precision="bfloat16" if agreed else "float32")


def check(address: str, home: Path, data: TrainingData, resources: Resources) -> list[Seen]:
    """Check every node that has room for a trial; a node that joins later is not checked.

    Args:
        address: the cluster's; the driver joins it, unless it did before.
        home: the folder that all nodes must share.

    Returns:
        The reports of the nodes, all of them sound.

    Raises:
        UserError: a node fails a check; the message names the node and the fault.
    """
    import ray

    ray_session.join(address)
    needs = {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    nodes = _with_room(ray.nodes(), needs)
    # Each check has a folder of its own, since several drivers may check at the same time.
    folder = home.absolute() / f".nodes-{uuid.uuid4().hex[:12]}"
    folder.mkdir(parents=True)
    try:
        (folder / "driver").touch()
        reports = _ask(nodes, look, str(folder), SHARED_SECONDS, ray.put(data))
        digest = data.digest()
        for node, seen in zip(nodes, reports, strict=True):
            written = seen.shared and _appears(folder / node["NodeID"], SHARED_SECONDS)
            _judge(_name(node), seen, home=home, written=written, digest=digest)
    finally:
        rmtree(folder, ignore_errors=True)
    return reports


def _with_room(nodes: Sequence[dict[str, Any]], needs: Mapping[str, float]) -> list[dict[str, Any]]:
    """The nodes that are alive and on which one trial fits."""
    alive = [node for node in nodes if node["Alive"]]
    fitting = [
        node
        for node in alive
        if all(node["Resources"].get(kind, 0) >= count for kind, count in needs.items())
    ]
    if not fitting:
        wanted = " and ".join(_plural(count, kind) for kind, count in needs.items() if count)
        raise UserError(
            f"a trial takes {wanted}, and none of the cluster's {len(alive)} nodes has as many\n"
            "give less with --cpus-per-trial or --gpus-per-trial"
        )
    return fitting


def _ask(
    nodes: Sequence[dict[str, Any]],
    function: Callable[..., Any],
    *arguments: object,
) -> list[Any]:
    """The results of `function` on each of the nodes, in their order."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # The task takes no share of the node, which may be busy with another search. Ray would hide the
    # GPUs from such a task without the variable. Its process ends with it, because CUDA keeps
    # memory in a process that used it.
    task = ray.remote(
        num_cpus=0,
        max_retries=0,
        max_calls=1,
        runtime_env={"env_vars": {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}},
    )(function)
    asked = [
        task.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(*arguments)
        for node in nodes
    ]
    _, silent = ray.wait(asked, num_returns=len(asked), timeout=ANSWER_SECONDS)
    answers = []
    for node, answer in zip(nodes, asked, strict=True):
        if answer in silent:
            raise Failure(
                f"node {_name(node)} does not answer within {ANSWER_SECONDS:.0f} s\n"
                "look at its logs (/tmp/ray/session_latest/logs there), or take it out"
            )
        try:
            answers.append(ray.get(answer))
        except RayError as error:  # a library is missing there, or the node is gone
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise Failure(
                f"node {_name(node)} cannot train: {reason[:300]}\n"
                "install there what is installed here (constraints.txt), or take it out"
            ) from None
    return answers


def _judge(name: str, seen: Seen, *, home: Path, written: bool, digest: str) -> None:
    """Refuse a node on which trials would fail or train on other data."""
    if not written:
        lacks = "cannot write into" if seen.shared else "does not see"
        raise Failure(
            f"node {name} {lacks} {home.absolute()}, where checkpoints and weights go\n"
            "run the command from a folder whose path is the same, shared disk on all nodes"
        )
    import torch

    if seen.torch != torch.__version__:
        raise Failure(
            f"node {name} has torch {seen.torch}, this machine has {torch.__version__}\n"
            "install one version on all nodes (constraints.txt names one)"
        )
    if seen.digest != digest:
        raise Failure(
            f"node {name} has other data: fingerprint {seen.digest}, this machine has {digest}\n"
            "install the same numpy on all nodes, and see to that node's memory and disk"
        )


def _name(node: dict[str, Any]) -> str:
    """The node's address, and its host name if that differs."""
    names = dict.fromkeys([node["NodeManagerAddress"], node["NodeManagerHostname"]])
    return " ".join(names)


def _plural(count: float, kind: str) -> str:
    return f"{count:g} {kind}{'s' * (count != 1)}"


def _appears(path: Path, timeout: float) -> bool:
    """Whether the file exists, now or within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True

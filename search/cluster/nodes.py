"""The nodes of a joined cluster: each is looked at before anything is trained there.

A worker reads and writes checkpoints and weights below `mlruns/`, gets its images through Ray and
its code from the driver. What would break a search in its middle, a folder that is not shared,
another torch, other images, is found here in seconds, by a task on every node.
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

import torch

from search import cluster
from search.errors import FAILED, UserError
from search.resources import Resources
from search.survey import Question, Survey, measure
from trainers.data import TrainingData

ANSWER_SECONDS = 120.0  # a node unpacks the code, starts a process and imports torch in it
SHARED_SECONDS = 5.0  # network file systems show a new file a little later


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a node sees.

    Attributes:
        shared: it read the driver's file in the shared folder, and wrote one of its own.
        torch: the version there.
        digest: of the images and labels as they arrived.
        code: the folder that this package was imported from.
    """

    shared: bool
    torch: str
    digest: str
    code: str


def look(folder: str, patience: float, data: TrainingData) -> Seen:
    """Runs on the node: see what is there, and leave a file named by its id in the folder.

    Args:
        folder: the driver's, with a file `driver` in it.
        patience: seconds until that file must have come in sight.
    """
    import ray

    shared = _appears(Path(folder) / "driver", patience)
    if shared:  # else nothing is made on a disk that nobody looks at
        with suppress(OSError):  # the driver misses the file, and says so
            (Path(folder) / ray.get_runtime_context().get_node_id()).touch()
    return Seen(
        shared=shared,
        torch=torch.__version__,
        digest=data.digest(),
        code=str(Path(__file__).parent),
    )


def survey(question: Question) -> Survey:
    """Measure on every node of the joined cluster that can train: the driver need not be one.

    Returns:
        What suits all of them: bfloat16 if it is faster on each, the largest share of a GPU.

    Raises:
        UserError: a node that cannot measure, or whose GPU torch does not find.
    """
    import ray

    wanted = {"GPU": 1} if question.device == "cuda" else {"CPU": question.threads}
    nodes = _with_room(ray.nodes(), wanted)
    found = _ask(nodes, measure, question)
    for node, seen in zip(nodes, found, strict=True):
        if question.device == "cuda" and not seen.gpus:
            raise UserError(
                f"Ray counts {_plural(node['Resources']['GPU'], 'GPU')} on node {_name(node)}, "
                "and torch finds none there\n"
                "install a CUDA build of torch on it, or train on CPUs with --device cpu",
                status=FAILED,
            )
    fullest = max(found, key=lambda seen: seen.peak_gib / (seen.total_gib or 1.0))
    agreed = all(seen.precision == "bfloat16" for seen in found)
    return replace(fullest, precision="bfloat16" if agreed else "float32")


def check(address: str, home: Path, data: TrainingData, resources: Resources) -> list[Seen]:
    """Look at every node that has room for a trial; one that joins later is not looked at.

    Args:
        address: of the cluster; joined, if it is not yet.
        home: the folder that all nodes must share.

    Returns:
        What the nodes see, all of it as it should be.

    Raises:
        UserError: what is wrong, and on which node.
    """
    import ray

    cluster.join(address)
    needs = {"CPU": resources.cpus_per_trial, "GPU": resources.gpus_per_trial}
    nodes = _with_room(ray.nodes(), needs)
    # Of its own: several drivers may look at the same time.
    folder = home.absolute() / f".nodes-{uuid.uuid4().hex[:12]}"
    folder.mkdir(parents=True)
    try:
        (folder / "driver").touch()
        found = _ask(nodes, look, str(folder), SHARED_SECONDS, ray.put(data))
        digest = data.digest()
        for node, seen in zip(nodes, found, strict=True):
            written = seen.shared and _appears(folder / node["NodeID"], SHARED_SECONDS)
            _judge(_name(node), seen, home=home, written=written, digest=digest)
    finally:
        rmtree(folder, ignore_errors=True)
    return found


def _with_room(nodes: Sequence[dict[str, Any]], needs: Mapping[str, float]) -> list[dict[str, Any]]:
    """The nodes that are alive and on which one trial fits."""
    alive = [node for node in nodes if node["Alive"]]
    found = [
        node
        for node in alive
        if all(node["Resources"].get(kind, 0) >= count for kind, count in needs.items())
    ]
    if not found:
        wanted = " and ".join(_plural(count, kind) for kind, count in needs.items() if count)
        raise UserError(
            f"a trial takes {wanted}, and none of the cluster's {len(alive)} nodes has as many\n"
            "give less with --cpus-per-trial or --gpus-per-trial"
        )
    return found


def _ask(
    nodes: Sequence[dict[str, Any]],
    function: Callable[..., Any],
    *arguments: object,
) -> list[Any]:
    """What `function` returns on each of the nodes, in their order."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # It takes no share of the node, which may be busy with another search, and so would be shown
    # no GPU. Its process ends with it: CUDA keeps memory in a process that used it.
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
    found = []
    for node, answer in zip(nodes, asked, strict=True):
        if answer in silent:
            raise UserError(
                f"node {_name(node)} does not answer within {ANSWER_SECONDS:.0f} s\n"
                "look at its logs (/tmp/ray/session_latest/logs there), or take it out",
                status=FAILED,
            )
        try:
            found.append(ray.get(answer))
        except RayError as error:  # a library is missing there, or the node went away
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise UserError(
                f"node {_name(node)} cannot train: {reason[:300]}\n"
                "install there what is installed here (constraints.txt), or take it out",
                status=FAILED,
            ) from None
    return found


def _judge(name: str, seen: Seen, *, home: Path, written: bool, digest: str) -> None:
    """Refuse a node on which trials would fail, or train something else."""
    if not written:
        lacks = "cannot write into" if seen.shared else "does not see"
        raise UserError(
            f"node {name} {lacks} {home.absolute()}, where checkpoints and weights go\n"
            "run the command from a folder whose path is the same, shared disk on all nodes",
            status=FAILED,
        )
    if seen.torch != torch.__version__:
        raise UserError(
            f"node {name} has torch {seen.torch}, and {torch.__version__} is here\n"
            "install one version on all nodes (constraints.txt names one)",
            status=FAILED,
        )
    if seen.digest != digest:
        raise UserError(
            f"node {name} has other data: fingerprint {seen.digest}, and {digest} here\n"
            "install the same numpy on all nodes, and see to that node's memory and disk",
            status=FAILED,
        )


def _name(node: dict[str, Any]) -> str:
    """Address and host name, as far as they differ."""
    names = dict.fromkeys([node["NodeManagerAddress"], node["NodeManagerHostname"]])
    return " ".join(names)


def _plural(count: float, kind: str) -> str:
    return f"{count:g} {kind}{'s' * (count != 1)}"


def _appears(path: Path, patience: float) -> bool:
    """Whether the file is there, now or within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not path.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True

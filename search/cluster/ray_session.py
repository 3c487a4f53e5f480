"""Start Ray quietly on this machine, or join a running cluster."""

from __future__ import annotations

import gc
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.errors import Failure, UserError
from search.files.home import ROOT

if TYPE_CHECKING:
    from search.cluster.resources import Resources
    from trainers.data import TrainingData

PROBE_SECONDS = 3.0
NODE_SECONDS = 5.0  # after these Ray itself waits on
LOOPBACK = "127.0.0.1"
# Bytes of a folder's path: a socket's path has at most 107 on Linux, and Ray's own names take 68.
LONGEST_FOLDER = 39
PACKAGES = ("models", "trainers", "search")  # the packages of this project that a worker imports

# Ray reads these when it is imported or started.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",  # else every user of this machine can run code in a search
    "RAY_prestart_worker_first_driver": "0",  # else one idle process a CPU, which no trial gets
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else `uv run` uploads the folder, data and all
    "RAY_DEDUP_LOGS": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the driver handles SIGINT and SIGTERM itself
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # CSV and JSON would repeat MLflow's records
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # the metric is measured at rungs only
    "TUNE_WARN_THRESHOLD_S": "5",
    "TUNE_GLOBAL_CHECKPOINT_S": "60",  # a resumed search does not read Ray's snapshot
    "PYTHONWARNINGS": "ignore",  # for the workers
}

AUTHENTICATION = ("token", "disabled")

# Methods of Ray's node that start the autoscaler, the forwarding of output and the dashboard.
UNNEEDED = ("start_monitor", "start_log_monitor", "start_api_server")

QUIETLY: dict[str, Any] = {
    "log_to_driver": False,
    "logging_level": logging.ERROR,
    "configure_logging": False,
}


def prepare_environment() -> None:
    """Set the variables that Ray reads from the environment; call before importing Ray.

    Raises:
        UserError: RAY_AUTH_MODE is a value that Ray would ignore, or end the process over.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        Path.home()
    except RuntimeError:  # a user without a name, as in a container; Ray's import needs a home
        os.environ["HOME"] = os.sep
    mode = os.environ["RAY_AUTH_MODE"]
    if mode not in AUTHENTICATION:
        raise UserError(
            f"RAY_AUTH_MODE={mode!r} is not one of {', '.join(AUTHENTICATION)}\n"
            "unset it for token; with disabled, anyone who reaches Ray's port can run code here"
        )


def check_sockets() -> None:
    """Make sure that Ray can create its sockets; Ray itself would take seconds to fail.

    Raises:
        UserError: the paths of the sockets would be too long.
    """
    name = "RAY_TMPDIR" if "RAY_TMPDIR" in os.environ else "TMPDIR"
    length = len(os.fsencode(os.environ.get(name, "")))
    if length > LONGEST_FOLDER:
        raise Failure(
            f"{name} names a folder of {length} bytes, too long for the sockets of Ray in it\n"
            f"set one of at most {LONGEST_FOLDER} bytes for Ray: export RAY_TMPDIR=/tmp"
        )


def probe_address(address: str) -> None:
    """Make sure that something listens at HOST:PORT, within five seconds.

    Raises:
        UserError: the address is not valid, or nothing answers there.
    """
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit()):
        raise UserError(f"--address {address}: expected auto or HOST:PORT, as in 10.0.0.5:6379")
    try:
        socket.create_connection((host, int(port)), timeout=PROBE_SECONDS).close()
    except (OSError, OverflowError, ValueError) as error:  # ValueError: not a valid host name
        raise Failure(
            f"no Ray cluster answers at {address} ({error})\n"
            "start one (ray start --head --port 6379) or leave --address out"
        ) from None


def start(resources: Resources, data: TrainingData) -> None:
    """Start a Ray of our own here, with room for the images in shared memory.

    Other machines can reach none of its processes.
    """
    import ray

    # With this the workers find the project if it is not installed.
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    if not os.access(Path.home(), os.W_OK):  # where Ray would keep its token
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with no_more_than_a_search_needs():
        ray.init(
            address="local",  # never join a cluster that happens to run here
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            include_dashboard=False,
            object_store_memory=max(2 * data.nbytes, 256 * 2**20),
            _node_ip_address=LOOPBACK,
            **QUIETLY,
        )


@contextmanager
def no_more_than_a_search_needs() -> Iterator[None]:
    """Change how Ray starts: it listens on the loopback address and starts fewer processes.

    Ray replaces a loopback address by one that other machines can reach, and then listens there; a
    process that gets the loopback address itself keeps to it. Ray also starts processes that a
    search does not use: together they took two of three seconds. And Ray asks once a second whether
    its own processes are there. It has no setting for any of these. A function that a later Ray
    lacks is left out.
    """
    from ray._private import node, services

    find_node = getattr(services, "get_node", None)

    def get_node(address: str, node_id: str) -> Any:
        _await_node(address, node_id)
        return find_node(address, node_id)  # type: ignore[misc]

    changes: list[tuple[Any, str, Any]] = [
        (services, "resolve_ip_for_localhost", lambda host: host),
        (services, "get_node", get_node),
    ]
    changes += [(node.Node, name, lambda self, **unused: None) for name in UNNEEDED]
    before = {(owner, name): getattr(owner, name, None) for owner, name, _ in changes}
    for owner, name, change in changes:
        if before[owner, name]:
            setattr(owner, name, change)
    try:
        yield
    finally:
        for (owner, name), kept in before.items():
            if kept:
                setattr(owner, name, kept)


def _await_node(address: str, node_id: str) -> None:
    """Wait until Ray knows of the node; Ray itself would sleep for a second between two looks."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    client, deadline = GcsClient(address=address), time.monotonic() + NODE_SECONDS
    while time.monotonic() < deadline:
        if any(known.hex() == node_id for known in client.get_all_node_info()):
            return
        time.sleep(0.01)


@contextmanager
def running(
    resources: Resources, data: TrainingData, address: str | None, listen: Callable[[], object]
) -> Iterator[None]:
    """A Ray of our own, or the cluster at `address`, while entered.

    Args:
        listen: installs the command's handlers of signals; called when Ray has installed its own,
            and again when it has removed them.
    """
    try:
        if address:
            join(address)
        else:
            start(resources, data)
        listen()
        yield
    except SystemExit:  # from Ray's own handler of SIGTERM, which is in place until `listen`
        raise KeyboardInterrupt from None
    finally:
        stop()
        listen()


def join(address: str) -> tuple[int, int]:
    """Join the cluster at `address`, once; returns its (CPUs, GPUs).

    The driver uploads the project's packages: the nodes need its dependencies only, and train with
    the driver's code even if they have another version.

    Raises:
        UserError: the driver cannot join the cluster.
    """
    import ray
    from ray.exceptions import AuthenticationError

    try:
        if not ray.is_initialized():
            ray.init(
                address=address,
                runtime_env={
                    "py_modules": [str(ROOT / package) for package in PACKAGES],
                    "excludes": ["__pycache__"],
                },
                **QUIETLY,
            )
    except AuthenticationError:
        raise Failure(
            f"the Ray cluster at {address} requires its token\n"
            "set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's; "
            "RAY_AUTH_MODE=disabled joins a cluster without a token"
        ) from None
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Failure(
            f"cannot join the Ray cluster at {address}: {reason[:300]}\n"
            "start one (ray start --head --port 6379) or leave --address out"
        ) from None
    total = ray.cluster_resources()
    return int(total.get("CPU", 0)), int(total.get("GPU", 0))


def stop() -> None:
    """Stop the Ray that this process started, or leave the cluster that it joined.

    Garbage waits until then: an object of Ray's that a collection in another thread frees while
    Ray's library ends itself makes the library end the process, with status 1 and without a word.
    """
    import ray

    gc.disable()
    try:
        ray.shutdown()
    finally:
        gc.enable()

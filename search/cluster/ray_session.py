"""Ray, started quietly on this machine or joined where it runs."""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from search.errors import FAILED, UserError

if TYPE_CHECKING:
    from search.resources import Resources
    from trainers.data import TrainingData

PROBE_SECONDS = 3.0
LOOPBACK = "127.0.0.1"
ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("models", "trainers", "search")  # all that a worker imports of this project

# Read by Ray when it is imported or started.
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",  # else one idle process a CPU, which no trial gets
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # else `uv run` uploads the folder, data and all
    "RAY_DEDUP_LOGS": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the driver has its own, for SIGTERM too
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # MLflow has it all; no CSV and JSON beside it
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # the metric is measured at rungs only
    "TUNE_WARN_THRESHOLD_S": "5",
    "TUNE_GLOBAL_CHECKPOINT_S": "60",  # Ray's snapshot is not what a resumed search reads
    "PYTHONWARNINGS": "ignore",  # of the workers
}

# Methods of Ray's node that start the autoscaler, the forwarding of output and the dashboard.
UNNEEDED = ("start_monitor", "start_log_monitor", "start_api_server")

QUIETLY: dict[str, Any] = {
    "log_to_driver": False,
    "logging_level": logging.ERROR,
    "configure_logging": False,
}


def prepare_environment() -> None:
    """Set what Ray reads from the environment; call before importing it."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


def probe_address(address: str) -> None:
    """Make sure that something listens at HOST:PORT, within five seconds.

    Raises:
        UserError: it is no address, or nothing answers.
    """
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or not host:
        raise UserError(f"--address {address}: expected auto or HOST:PORT, as in 10.0.0.5:6379")
    try:
        socket.create_connection((host, int(port)), timeout=PROBE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"no Ray cluster answers at {address} ({error})\n"
            "start one (ray start --head --port 6379) or leave --address out",
            status=FAILED,
        ) from None


def start(resources: Resources, data: TrainingData) -> None:
    """Start a Ray of our own here, with room for the images in shared memory.

    None of its processes can be reached from another machine.
    """
    import ray

    # Lets the workers find this project where it is not installed.
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
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
    """While entered, Ray starts as it does for `start`. Where a later Ray differs, as it likes.

    Ray replaces a loopback address by one that other machines can reach, and then listens there;
    every process that is told the loopback address itself keeps to it. It also starts processes
    that nobody asks here: together they took two of three seconds. There is no setting against
    either.
    """
    from ray._private import node, services

    changes: list[tuple[Any, str, Any]] = [
        (services, "resolve_ip_for_localhost", lambda host: host)
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


def join(address: str) -> tuple[int, int]:
    """Join the cluster at `address`, once; returns its (CPUs, GPUs).

    The project's packages go with the driver: nodes need its dependencies only, and train with
    the code that is here, whatever lies there.

    Raises:
        UserError: it cannot be joined.
    """
    import ray

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
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"cannot join the Ray cluster at {address}: {reason[:300]}\n"
            "start one (ray start --head --port 6379) or leave --address out",
            status=FAILED,
        ) from None
    total = ray.cluster_resources()
    return int(total.get("CPU", 0)), int(total.get("GPU", 0))


def stop() -> None:
    """Stop the Ray that was started here, or leave the one that was joined."""
    import ray

    ray.shutdown()


@contextmanager
def output_to(path: Path) -> Iterator[IO[str]]:
    """Send whatever prints, libraries and C++ included, to the file at `path`.

    Yields the real standard output, for what the user is to see.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with path.open("ab") as sink:
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
    screen = os.fdopen(os.dup(kept[0]), "w", encoding="utf-8", errors="replace")
    try:
        yield screen
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):  # the disk of the log is full: what was to say is said by now
                stream.flush()
        screen.close()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for descriptor in kept:
            os.close(descriptor)

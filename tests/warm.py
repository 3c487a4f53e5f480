"""The warm process of a test run, of which its commands and Ray's workers are forked.

    python tests/warm.py serve FOLDER SOCKET SOCKET     be it
    python tests/warm.py cluster FILE                   keep the Ray that commands join
    python tests/warm.py SCRIPT ARGUMENTS               stand for a worker that Ray starts

`tests/commands.py` starts the first; it, in turn, the others.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import rmtree
from types import SimpleNamespace
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 2**17  # bytes of a request: arguments and the environment
SOCKETS = ("commands", "workers")  # in a test run's folder: where forks are asked for
WORKERS = "WARM_WORKERS"  # environment of the cluster: where the second one lies
# What is imported late, where it is needed; the last is most of what the first optimizer takes.
LATER_IN_WORKERS = ("pandas", "pyarrow.fs", "safetensors.torch", "torch._dynamo")
LATER_IN_COMMANDS = (
    *("mlflow.pytorch", "mlflow.store.tracking.sqlalchemy_store", "sklearn.manifold"),
    *("mlflow.store.model_registry.sqlalchemy_store", "optuna.visualization._plotly_imports"),
    *("optuna.importance._fanova._evaluator", "plotly.io", "pyarrow.json", "matplotlib.pyplot"),
)
SET_BY_IMPORTS: dict[str, str] = {}  # environment that modules set when they are imported
PASSED_ON = ("ONEDNN_MAX_CPU_ISA",)  # of a command's environment, to the workers of the cluster


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be forked; fields as `commands.start` has them, `cluster` an address to join."""

    script: str
    arguments: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    own_group: bool = False
    cluster: str | None = None
    cold_workers: bool = False


def is_over(folder: Path) -> bool:
    """Whether the test run that this is the folder of has ended."""
    file = folder / "pid"
    return not (file.exists() and Path("/proc", file.read_text()).exists())


def listen(path: Path) -> socket.socket:
    """A socket at `path` that takes whole messages."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.bind(str(path))
    made.listen(64)
    return made


def ask(requests: Path | str, request: Request, out: int, err: int) -> int:
    """Send a request to a warm process; returns where the fork's id and exit status can be read."""
    mine, theirs = os.pipe()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.connect(str(requests))
            message = json.dumps([asdict(request), str(requests)]).encode()
            socket.send_fds(connection, [message], [out, err, theirs])
    finally:
        os.close(theirs)
    return mine


def end_of(status: int) -> int:
    """Wait for a fork's end; returns its exit status."""
    with os.fdopen(status) as told:
        told.readline()  # its process id
        return int(told.readline())


def serve(run: Path, commands: int, workers: int) -> None:
    """Be two processes, of which commands and Ray's workers are forked, as long as the tests run.

    A worker must load Ray's library itself: the library reads once who the worker is.
    """
    before = dict(os.environ)
    for name in ("search.trials.trial", *LATER_IN_WORKERS):
        importlib.import_module(name)
    if os.fork() == 0:
        os.close(commands)
        fork_for(socket.socket(fileno=workers), run)
    os.close(workers)
    from search.cluster import ray_session as cluster

    cluster.prepare_environment()
    for package in ("search", "analysis"):
        module = importlib.import_module(package)
        for found in pkgutil.walk_packages(module.__path__, f"{package}."):
            importlib.import_module(found.name)
    for name in LATER_IN_COMMANDS:
        importlib.import_module(name)
    SET_BY_IMPORTS.update(os.environ.items() - before.items())
    fork_for(socket.socket(fileno=commands), run)


def fork_for(requests: socket.socket, run: Path) -> NoReturn:
    """Fork once for each request, until the test run ends."""
    gc.freeze()  # what is shared with the forks is left alone
    requests.settimeout(1.0)
    while not is_over(run):
        with suppress(ChildProcessError):  # watchers that have ended
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        try:
            connection = requests.accept()[0]
        except TimeoutError:
            continue
        with connection:
            message, descriptors, _, _ = socket.recv_fds(connection, LONGEST, 3)
        if os.fork() == 0:
            requests.close()
            fields, path = json.loads(message)
            watch(Request(**fields), path, *descriptors)
        for each in descriptors:
            os.close(each)
    rmtree(run, ignore_errors=True)
    os._exit(0)


def watch(request: Request, requests: str, out: int, err: int, status: int) -> NoReturn:
    """Fork the command, tell its process id, wait for it, tell how it ended."""
    pid = os.fork()
    if pid == 0:
        os.close(status)
        become(request, requests, out, err)
    os.close(out)
    os.close(err)
    with suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(status, f"{pid}\n".encode())
        _, ended = os.waitpid(pid, 0)
        os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
    os._exit(0)


def become(request: Request, requests: str, out: int, err: int) -> NoReturn:
    """Be the command as if Python had just been started for it."""
    from search.cli.exiting import exit_fast

    if request.own_group:
        os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update({**SET_BY_IMPORTS, **request.environment})
    sys.argv = [request.script, *request.arguments]
    sys.path[0] = str(Path(request.script).parent)
    if request.cluster:
        join_instead(request.cluster)
        fork_instead(request, requests)
    elif Path(requests).name == "commands" and not request.cold_workers:
        fork_workers(requests)
    status = 0
    try:
        runpy.run_path(request.script, run_name="__main__")
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        status = 1
    exit_fast(status)


def join_instead(address: str) -> None:
    """Let a command that starts Ray on this machine join the cluster there."""
    import ray
    from ray._private.authentication.authentication_token_setup import enable_token_auth_by_default

    from search.cluster import ray_session as cluster

    def join(resources: object, data: object) -> None:
        enable_token_auth_by_default()  # Ray does so where it starts, not where it joins
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        where = {"address": address, "_node_ip_address": cluster.LOOPBACK}
        with cluster.no_more_than_a_search_needs():
            ray.init(
                **where, runtime_env={"env_vars": passed} if passed else None, **cluster.QUIETLY
            )

    cluster.start = join  # type: ignore[assignment]


def fork_instead(mine: Request, requests: str) -> None:
    """Let a benchmark that starts a search have it forked too."""
    from benchmarks import commands

    def tune(words: Sequence[str], folder: Path | str) -> None:
        script = str(ROOT / "search" / "tune.py")
        search = replace(mine, script=script, arguments=words, folder=str(folder), own_group=False)
        status = end_of(ask(requests, search, 2, 2))
        assert status == 0, f"{words} ended with status {status}"

    commands.tune = tune


def fork_workers(requests: str) -> None:
    """Let the Ray that this process may start have its workers forked."""
    from ray._private import ray_constants

    os.environ[WORKERS] = str(Path(requests).with_name("workers"))
    ray_constants.SETUP_WORKER_FILENAME = __file__  # joined to a folder; an absolute path wins


def keep_cluster(file: Path) -> None:
    """Start Ray with room for many searches, write its address there, stop it after the tests."""
    import ray

    from search.cluster import ray_session as cluster
    from search.cluster.resources import Resources

    room = Resources(concurrency=64)
    cluster.start(room, SimpleNamespace(nbytes=0))  # type: ignore[arg-type]
    unfinished = file.with_suffix(".part")
    unfinished.write_text(ray.get_runtime_context().gcs_address)
    unfinished.rename(file)
    while not is_over(file.parent):
        time.sleep(0.5)
    cluster.stop()


def stand_for_worker(script: str, *arguments: str) -> int:
    """In place of Ray's `setup_worker.py`: have the worker forked, and end when it ends."""
    options, environment = [], dict(os.environ)
    for word in arguments:
        name, _, value = word.partition("=")
        if name == "--serialized-runtime-env-context":
            environment |= json.loads(value).get("env_vars", {})
        elif name != "--language":
            options.append(word)
    request = Request(
        script=script,
        arguments=options,
        folder=str(Path.cwd()),
        environment=environment,
        own_group=True,  # Ray ends a worker with its group
    )
    return end_of(ask(os.environ[WORKERS], request, 1, 2)) & 255


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1] == "cluster":
        keep_cluster(Path(sys.argv[2]))
    else:
        os._exit(stand_for_worker(*sys.argv[1:]))

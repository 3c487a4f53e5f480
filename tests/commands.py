"""The project's commands as processes that begin warm.

Most of what a short command takes is the import of torch, Ray, Optuna and MLflow: some four seconds
of one core. Here one process imports them, once a test run, and every command is a fork of it: with
its own process id, group, folder, environment and output, so that it can be signalled and killed.
Most of the rest is Ray's start: where that is not what is tested, commands join one cluster, which
also lives as long as the test run.

A command from cold, as a person starts it: `subprocess`, or `.ci/run`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import rmtree
from threading import RLock
from types import SimpleNamespace
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 900.0  # seconds for a minute's work: a busy machine is no failure
LONGEST = 2**17  # bytes of a request: arguments and the environment
SOCKETS = ("commands", "workers")  # at which forks of the two warm processes are asked for
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
TRAINING = (  # they start Ray, or searches that do
    *("search/tune.py", "search/rerun.py", "search/sweep.py"),
    *("benchmarks/load.py", "benchmarks/orchestration.py", "benchmarks/scale.py"),
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be forked; the fields are those of `start`, `cluster` an address to join."""

    script: str
    arguments: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    own_group: bool = False
    cluster: str | None = None
    cold_workers: bool = False


class Process:
    """A command under way, with the part of `subprocess.Popen` that tests use; output is text."""

    def __init__(self, arguments: list[str], out: IO[str], err: IO[str], status: int) -> None:
        self.args = arguments
        self.returncode: int | None = None
        self._out, self._err = out, err
        self._status = os.fdopen(status, "rb", buffering=0)
        self.pid = int(self._read())

    def _read(self) -> bytes:
        line = self._status.readline()
        assert line, "the warm process is gone"
        return line

    def poll(self) -> int | None:
        """The exit status, or minus the signal's number; None while it runs."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self.returncode = int(self._read())
            self._status.close()
        return self.returncode

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it is still running; it is left running.
        """
        if self.returncode is None and not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout)
        status = self.poll()
        assert status is not None
        return status

    def communicate(self, timeout: float = TIMEOUT) -> tuple[str, str]:
        """Wait for its end; returns standard output and error."""
        self.wait(timeout)
        texts = []
        for file in (self._out, self._err):
            file.seek(0)
            texts.append(file.read())
        return texts[0], texts[1]

    def send_signal(self, number: int) -> None:
        """Signal the process alone, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def start(
    script: str,
    *arguments: str,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    own_group: bool = False,
    own_ray: bool = False,
    cold_workers: bool = False,
) -> Process:
    """`python SCRIPT ARGUMENTS` under way in a folder.

    Args:
        script: path from the repository's root, as in `search/tune.py`.
        environment: all of it; this process's own, plain and without a data folder, if None.
        own_group: whether it leads a group of processes of its own, as a terminal's command does.
        own_ray: whether it starts Ray itself, as users' commands do, if it comes to that; else it
            joins the test run's.
        cold_workers: whether its Ray starts workers itself, so that they lie below it.
    """
    out = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
    err = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
    joins = script in TRAINING and not own_ray
    request = Request(
        script=str(ROOT / script),
        arguments=arguments,
        folder=str(folder),
        environment=plain_environment() if environment is None else environment,
        own_group=own_group,
        cluster=_Warm.get().cluster() if joins else None,
        cold_workers=cold_workers,
    )
    status = _Warm.get().fork(request, out.fileno(), err.fileno())
    return Process([script, *arguments], out, err, status)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, standard output and error."""

    status: int
    out: str
    err: str


def run(script: str, *arguments: str, folder: Path, timeout: float = TIMEOUT, **how: Any) -> Ended:
    """How `python SCRIPT ARGUMENTS` ended in that folder; keywords as `start` has them."""
    process = start(script, *arguments, folder=folder, **how)
    try:
        out, err = process.communicate(timeout)
    finally:
        process.kill()
    return Ended(process.wait(), out, err)


def plain_environment() -> dict[str, str]:
    """This process's environment without a data folder and without colours."""
    return {k: v for k, v in os.environ.items() if k != "DATA_DIR"} | {"NO_COLOR": "1"}


class _Warm:
    """The process that commands are forked from, and the cluster that they join."""

    _one: _Warm | None = None
    _lock = RLock()  # tests start commands from threads

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="warm"))
        self._cluster: Process | None = None
        with ExitStack() as stack:
            sockets = [stack.enter_context(listen(self._folder / name)) for name in SOCKETS]
            numbers = [each.fileno() for each in sockets]
            self._process = subprocess.Popen(
                [sys.executable, __file__, "serve", *map(str, numbers)],
                cwd=ROOT,
                # Threads that spin while they wait take a busy machine's cores from each other.
                env=plain_environment() | {"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"},
                pass_fds=numbers,
                start_new_session=True,
            )

    @classmethod
    def get(cls) -> _Warm:
        with cls._lock:
            if cls._one is None:
                cls._one = cls()
                atexit.register(cls._one.close)
            return cls._one

    def fork(self, request: Request, out: int, err: int) -> int:
        """Have a process forked; returns where its id and exit status can be read."""
        return ask(self._folder / "commands", request, out, err)

    def cluster(self) -> str:
        """The address of the test run's Ray, which is started when it is first asked for."""
        file = self._folder / "address"
        with self._lock:
            if self._cluster is None:
                words = ("cluster", str(file), str(os.getpid()))
                self._cluster = start("tests/commands.py", *words, folder=self._folder)
        deadline = time.monotonic() + TIMEOUT
        while not file.exists():
            assert self._cluster.poll() is None, self._cluster.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return file.read_text()

    def close(self) -> None:
        """End the cluster and the warm process."""
        if self._cluster:
            self._cluster.send_signal(signal.SIGTERM)
            self._cluster.communicate()
        self._process.terminate()
        self._process.wait(timeout=60)
        rmtree(self._folder, ignore_errors=True)


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


# In the warm process ----------------------------------------------------------------------------


def serve(commands: int, workers: int) -> None:
    """Be two processes, of which commands and Ray's workers are forked, as long as the tests run.

    A worker must load Ray's library itself: the library reads once who the worker is.
    """
    before = dict(os.environ)
    for name in ("search.trial", *LATER_IN_WORKERS):
        importlib.import_module(name)
    if os.fork():
        os.close(commands)
        fork_for(socket.socket(fileno=workers))
    os.close(workers)
    from search import cluster

    cluster.prepare_environment()
    for package in ("search", "analysis"):
        module = importlib.import_module(package)
        for found in pkgutil.walk_packages(module.__path__, f"{package}."):
            importlib.import_module(found.name)
    for name in LATER_IN_COMMANDS:
        importlib.import_module(name)
    SET_BY_IMPORTS.update(os.environ.items() - before.items())
    fork_for(socket.socket(fileno=commands))


def fork_for(requests: socket.socket) -> NoReturn:
    """Fork once for each request, until the process above ends."""
    gc.freeze()  # what is shared with the forks is left alone
    above = os.getppid()
    requests.settimeout(1.0)
    while os.getppid() == above:
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
    from search.leaving import leave

    if request.own_group:
        os.setsid()
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
    leave(status)


def join_instead(address: str) -> None:
    """Let a command that starts Ray on this machine join the cluster there."""
    import ray
    from ray._private.authentication.authentication_token_setup import enable_token_auth_by_default

    from search import cluster

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


def keep_cluster(file: Path, tests: int) -> None:
    """Start Ray with room for many searches; stop it on SIGTERM, or when the tests are gone."""
    import ray

    from search import cluster
    from search.resources import Resources

    room = Resources(
        device="cpu", concurrency=64, cpus_per_trial=1, gpus_per_trial=0.0, precision="float32"
    )
    cluster.start(room, SimpleNamespace(nbytes=0))  # type: ignore[arg-type]
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    unfinished = file.with_suffix(".part")
    unfinished.write_text(ray.get_runtime_context().gcs_address)
    unfinished.rename(file)
    try:
        while Path(f"/proc/{tests}").exists():
            time.sleep(0.5)
    finally:
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
        serve(int(sys.argv[2]), int(sys.argv[3]))
    elif sys.argv[1] == "cluster":
        keep_cluster(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        os._exit(stand_for_worker(*sys.argv[1:]))

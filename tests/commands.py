"""The project's commands as processes that begin warm.

Most of what a short command takes is the import of torch, Ray, Optuna and MLflow: some four seconds
of one core. Here it is a fork of a process that has them (`tests/warm.py`), with its own process
id, group, folder, environment and output, so that it can be signalled and killed. Most of the rest
is Ray's start: where that is not what is tested, commands join one cluster. Both live as long as
the test run.

A command from cold, as a person starts it: `subprocess`, or `.ci/run`.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
from shutil import rmtree
from threading import RLock
from typing import IO, Any

from tests import warm
from tests.warm import ROOT, Request

RUN = "LATENT_SEARCH_TESTS"  # environment of a test run's processes: a folder of theirs
TIMEOUT = 900.0  # seconds for a minute's work: a busy machine is no failure
TRAINING = {  # they start Ray, or searches that do
    "search": ("tune", "rerun", "sweep"),
    "benchmarks": ("load", "orchestration", "scale"),
}


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
    screen: int | None = None,
) -> Process:
    """`python SCRIPT ARGUMENTS` under way in a folder.

    Args:
        script: path from the repository's root, as in `search/tune.py`.
        environment: all of it; this process's own, plain and without a data folder, if None.
        own_group: whether it leads a group of processes of its own, as a terminal's command does.
        own_ray: whether it starts Ray itself, as users' commands do, if it comes to that; else it
            joins the test run's.
        cold_workers: whether its Ray starts workers itself, so that they lie below it.
        screen: descriptor of its standard output; what is written there is not returned.
    """
    out = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
    err = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
    joins = Path(script).stem in TRAINING.get(Path(script).parent.name, ()) and not own_ray
    request = Request(
        script=str(ROOT / script),
        arguments=arguments,
        folder=str(folder),
        environment=plain_environment() if environment is None else environment,
        own_group=own_group,
        cluster=_Warm.get().cluster() if joins else None,
        cold_workers=cold_workers,
    )
    status = _Warm.get().fork(request, out.fileno() if screen is None else screen, err.fileno())
    return Process([script, *arguments], out, err, status)


def wait_for(process: Process | subprocess.Popen[str], happened: Callable[[], object]) -> None:
    """Until it happened; fail if the command ends before or takes too long."""
    deadline = time.monotonic() + TIMEOUT
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, standard output and error."""

    status: int
    out: str
    err: str


def run(
    script: str,
    *arguments: str,
    folder: Path,
    timeout: float = TIMEOUT,
    until: Callable[[], object] | None = None,
    send: signal.Signals = signal.SIGKILL,
    **how: Any,
) -> Ended:
    """How `python SCRIPT ARGUMENTS` ended in that folder; other keywords as `start` has them.

    Args:
        until: what happens before it is sent the signal, with its group if it leads one: as
            Ctrl-C in a terminal.
    """
    process = start(script, *arguments, folder=folder, **how)
    to_it = os.killpg if how.get("own_group") else os.kill
    try:
        if until:
            wait_for(process, until)
            to_it(process.pid, send)
        out, err = process.communicate(timeout)
    finally:
        if process.poll() is None:
            to_it(process.pid, signal.SIGKILL)
    return Ended(process.wait(), out, err)


def cold(
    code: str, *words: str, folder: Path = ROOT, environment: Mapping[str, str] | None = None
) -> Ended:
    """How `python -c CODE WORDS` ended, in a process that nothing has warmed."""
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def plain_environment() -> dict[str, str]:
    """This process's environment without a data folder and without colours.

    Every epoch is worth a checkpoint: a test's are too short to be.
    """
    plain = {"NO_COLOR": "1", "LATENT_SEARCH_CHECKPOINT_WORTH": "0"}
    return {k: v for k, v in os.environ.items() if k != "DATA_DIR"} | plain


class _Warm:
    """The process that commands are forked from, and the cluster that they join.

    There is one for a test run, which the processes of `pytest -n` share: whichever needs it first
    starts it. It ends by itself when the run does.
    """

    _lock = RLock()  # tests start commands from threads
    _one: _Warm | None = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if (folder / "commands").exists():
            return
        with ExitStack() as stack:
            sockets = [stack.enter_context(warm.listen(folder / name)) for name in warm.SOCKETS]
            numbers = [each.fileno() for each in sockets]
            subprocess.Popen(
                [sys.executable, warm.__file__, "serve", str(folder), *map(str, numbers)],
                cwd=ROOT,
                # Threads that spin while they wait take a busy machine's cores from each other.
                env=plain_environment() | {"PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"},
                pass_fds=numbers,
                start_new_session=True,
            )

    @classmethod
    def get(cls) -> _Warm:
        folder = Path(os.environ[RUN])
        with cls._lock, alone(folder):
            if cls._one is None:
                cls._one = cls(folder)
            return cls._one

    def fork(self, request: Request, out: int, err: int) -> int:
        """Have a process forked; returns where its id and exit status can be read."""
        return warm.ask(self._folder / "commands", request, out, err)

    def cluster(self) -> str:
        """The address of the test run's Ray, which is started when it is first asked for."""
        file, said = self._folder / "address", self._folder / "cluster.log"
        with self._lock, alone(self._folder):
            if not said.exists():
                words = ("cluster", str(file))
                request = Request(
                    script=warm.__file__,
                    arguments=words,
                    folder=str(self._folder),
                    environment=plain_environment(),
                )
                with said.open("wb") as log:
                    os.close(self.fork(request, log.fileno(), log.fileno()))
        deadline = time.monotonic() + TIMEOUT
        while not file.exists():
            assert "Traceback" not in said.read_text(), said.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return file.read_text()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Alone among the processes of a test run."""
    with (folder / "lock").open("w") as file:
        flock(file, LOCK_EX)
        yield


def begin_run() -> None:
    """Be a test run of its own, unless this is one of the processes of another."""
    if RUN not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="tests"))
        (folder / "pid").write_text(str(os.getpid()))
        os.environ[RUN] = str(folder)
        atexit.register(lambda: rmtree(folder, ignore_errors=True))


def tune(folder: Path, *arguments: str) -> Ended:
    """How `python search/tune.py ...` ended in that folder."""
    return run("search/tune.py", *arguments, folder=folder)

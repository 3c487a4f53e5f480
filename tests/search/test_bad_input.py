"""Whatever is wrong: a right exit status, at most three lines, no traceback, nothing left behind.

Most cases call the command in this process, since a fresh one takes seconds to import; a few start
the real one.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from search import tune
from search.cluster import ray_session
from search.cluster.ray_session import check_sockets, probe_address
from search.errors import UserError
from search.files.home import FREE_MIB
from search.study import study as studies
from search.study.storage import load_study, open_storage
from tests import commands
from tests.refusals import attempt
from tests.stores import prepare
from tests.unprivileged import unprivileged
from trainers.protocol import VERSION

SEARCH = ["--pipeline", "mnist_supervised", "--trials", "1", "--epochs", "1"]
MINI = [*SEARCH, "--data", "mini", "--train-size", "256", "--set", "batch_size=128"]
KNOWN_WITHIN = 5.0


Attempt = Callable[..., str]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(empty_folder: None) -> None:
    """Before everything else that a test asks for."""


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Attempt:
    """(status, *arguments) -> what the command says on stderr when it refuses."""

    return partial(attempt, tune.main, capfd, folders=False)


# Known once the parts are loaded ----------------------------------------------------------------


def test_a_gpu_that_is_not_there(refused: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "--gpus-per-trial 1" in refused(2, *MINI, "--gpus-per-trial", "1")
    assert "--device cuda" in refused(2, *MINI, "--device", "cuda")
    refused(2, *MINI, "--device", "cpu", "--gpus-per-trial", "1")


def test_more_cpus_than_there_are(refused: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before torch is told: that many threads would bring the machine to a halt."""
    import torch

    from search.cluster.resources import cpu_count

    def set_num_threads(count: int) -> None:
        assert count <= cpu_count()

    monkeypatch.setattr(torch, "set_num_threads", set_num_threads)
    for count in (cpu_count() + 1, 9999):
        assert "this machine has" in refused(2, *MINI, "--cpus-per-trial", str(count))


def test_data_that_is_not_there(
    refused: Attempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "missing"
    assert str(missing) in refused(1, *SEARCH, "--data-dir", str(missing))
    missing.mkdir()
    assert str(missing) in refused(1, *SEARCH, "--data-dir", str(missing))
    file = tmp_path / "file"
    file.write_text("no folder")
    assert str(file) in refused(1, *SEARCH, "--data-dir", str(file))
    monkeypatch.setenv("DATA_DIR", str(missing))
    assert "DATA_DIR" in refused(1, *SEARCH)
    refused(1, *MINI, "--data-dir", str(missing))


def test_data_where_no_folder_can_be(refused: Attempt) -> None:
    said = refused(1, *SEARCH, "--data-dir", "~nobody-by-this-name/x")
    assert "Data folder '~nobody-by-this-name/x': Could not determine home" in said
    refused(1, *SEARCH, "--data-dir", "x" * 5000)


def test_too_few_images(refused: Attempt) -> None:
    small = ["--pipeline", "mnist_supervised", "--data", "mini", "--train-size"]
    assert "10 to" in refused(1, *small, "5")
    assert "10 to" in refused(1, *small, "999999")
    err = refused(2, *small, "256")
    assert "batches of 512" in err and "--set batch_size=128,256" in err
    refused(2, *small, "50")


def test_a_folder_that_must_not_be_written(refused: Attempt, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    Path.cwd().chmod(0o555)
    with unprivileged(tmp_path):
        assert "cannot write to" in refused(1, *MINI)


def test_a_file_or_a_file_system_that_takes_none_in_place_of_the_folder(refused: Attempt) -> None:
    Path("mlruns").write_text("not a folder")
    assert "cannot write to" in refused(1, *MINI)
    assert Path("mlruns").read_text() == "not a folder"
    Path("mlruns").unlink()
    Path("mlruns").symlink_to("/proc/self", target_is_directory=True)
    assert "cannot write to" in refused(1, *MINI)


def test_a_disk_that_is_nearly_full(refused: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    left = (FREE_MIB - 1) * 2**20
    usage = shutil.disk_usage(".")._replace(free=left)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert f"has {FREE_MIB - 1} MiB left" in refused(1, *MINI)


def test_a_disk_that_fills_while_writing(refused: Attempt) -> None:
    """No file may grow beyond 100 kB, as if the disk were full there."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        err = refused(1, *MINI)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "cannot write to" in err


def test_a_folder_too_deep_for_sockets(refused: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp/" + "x" * 125)
    err = refused(1, *MINI)
    assert "TMPDIR names a folder of 130 bytes" in err and "export RAY_TMPDIR=/tmp" in err
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    check_sockets()


# Studies ----------------------------------------------------------------------------------------


def test_a_name_that_exists(refused: Attempt) -> None:
    home = Path("mlruns")
    home.mkdir()
    storage = open_storage(home)
    studies.create(storage, "mine", identity={"pipeline": "p"}, defaults={})
    storage.engine.dispose()
    err = refused(2, *MINI, "--study", "mine")
    assert "'mine'" in err and "--resume" in err and "--study" in err


def test_nothing_to_resume(refused: Attempt) -> None:
    refused(2, *MINI, "--resume")  # and nothing is left on a fresh machine
    prepare(Path.cwd())
    open_storage(Path("mlruns")).engine.dispose()
    assert "has no study on mini data" in refused(2, *MINI, "--resume")


def test_a_study_of_other_options_is_not_resumed(refused: Attempt) -> None:
    prepare(Path.cwd())
    storage = open_storage(Path("mlruns"))
    studies.create(
        storage, "mine", identity={"pipeline": "mnist_supervised", "protocol": VERSION}, defaults={}
    )
    storage.engine.dispose()
    own = ("search.log", "driver.lock")  # of the study that was looked at
    leaves = ["mlruns/optuna.db", "mlruns/mlflow.db", *(f"mlruns/studies/mine/{n}" for n in own)]
    err = refused(2, *MINI, "--study", "mine", "--resume", leaves=leaves)
    assert "another search" in err
    assert not load_study(open_storage(Path("mlruns")), "mine").trials[0].params


def test_a_replay_of_nothing(refused: Attempt) -> None:
    assert "--replay" in refused(2, "--replay", "abc")
    prepare(Path.cwd())
    open_storage(Path("mlruns")).engine.dispose()
    assert "--replay abc: no trial has this id" in refused(2, "--replay", "abc")


# Servers that do not answer ---------------------------------------------------------------------


@contextmanager
def server(answer: bytes | None) -> Iterator[int]:
    """A port that takes connections and answers this to anything, or for None nothing at all."""
    code = (
        "import socket, sys\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        "print(s.getsockname()[1], flush=True)\n"
        "kept = []\n"
        "while True:\n"
        "    c, _ = s.accept()\n"
        "    kept.append(c)\n"
        "    if sys.argv[1] and c.recv(1):\n"
        "        c.sendall(bytes.fromhex(sys.argv[1]))\n"
        "        c.shutdown(socket.SHUT_WR)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, answer.hex() if answer else ""],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def test_a_tracking_server_that_does_not_answer_is_known_in_time(refused: Attempt) -> None:
    """Nobody is there, it is silent, or it speaks something else."""
    with server(None) as silent, server(b"SSH-2.0-OpenSSH_9.6\r\n") as other:
        for port in (1, silent, other):
            began = time.monotonic()
            uri = f"http://127.0.0.1:{port}"
            assert uri in refused(1, *MINI, "--tracking-uri", uri)
            assert time.monotonic() - began < KNOWN_WITHIN


@pytest.mark.slow
@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["plain", "debug"])
def test_a_server_that_fails_makes_no_password_known(debug: list[str]) -> None:
    with server(b"HTTP/1.1 500 broken\r\nContent-Length: 0\r\n\r\n") as port:
        uri = f"http://me:secret@127.0.0.1:{port}"
        for words in (["search/tune.py", *MINI], ["search/doctor.py"]):
            done = commands.run(*words, "--tracking-uri", uri, *debug, folder=Path.cwd())
            assert done.status == 1 and f"127.0.0.1:{port}" in done.err, done.err
            assert ("Traceback" in done.err) is bool(debug)
            assert "secret" not in done.out + done.err
    for file in Path.cwd().rglob("*"):
        assert not (file.is_file() and b"secret" in file.read_bytes()), file


@pytest.mark.parametrize(
    "uri",
    [
        *("mlruns", "file:///x", "ftp://h/x", "http://h:99999", "nonsense:"),
        *("http://[::1", "sqlite:", "sqlite://", "sqlite://x.db", "sqlite+other:///x.db"),
    ],
)
def test_an_address_that_is_none(refused: Attempt, uri: str) -> None:
    status = 1 if uri.startswith("http://h") else 2
    assert "--tracking-uri" in refused(status, *MINI, "--tracking-uri", uri)


@pytest.mark.parametrize("uri", ["sqlite:///", "sqlite:///.", "sqlite:////"])
def test_a_folder_as_a_store(refused: Attempt, uri: str) -> None:
    assert "is a folder" in refused(1, *MINI, "--tracking-uri", uri)
    refused(1, *MINI, "--tracking-uri", "sqlite:////proc/nowhere/mlflow.db")


def test_a_file_that_is_no_store(refused: Attempt) -> None:
    Path("notes.db").write_text("no database, and longer than the head of one" * 10)
    err = refused(1, *MINI, "--tracking-uri", "sqlite:///notes.db")
    assert f"{Path.cwd()}/notes.db" in err and "file is not a database" in err


def test_the_database_of_another_library(refused: Attempt) -> None:
    Path("mlruns").mkdir()
    open_storage(Path("mlruns")).engine.dispose()
    uri = "sqlite:///mlruns/optuna.db"
    assert "is not a database of MLflow" in refused(1, *MINI, "--tracking-uri", uri)


def test_studies_that_are_no_database_or_of_a_later_optuna(refused: Attempt) -> None:
    Path("mlruns/optuna.db").mkdir(parents=True)
    assert "mlruns/optuna.db as the database of Optuna: it is a folder" in refused(1, *MINI)
    Path("mlruns/optuna.db").rmdir()
    Path("mlruns/optuna.db").write_bytes(b"no database" * 100)
    assert "mlruns/optuna.db as the database of Optuna" in refused(1, *MINI)
    Path("mlruns/optuna.db").unlink()
    open_storage(Path("mlruns")).engine.dispose()
    with closing(sqlite3.connect("mlruns/optuna.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'v99.0.0.a'")
        database.commit()
    err = refused(1, *MINI)
    assert f"{Path.cwd()}/mlruns/optuna.db" in err and "updating optuna" in err


def test_a_damaged_database_is_named(refused: Attempt) -> None:
    """Its head is whole, what it holds is not."""
    prepare(Path.cwd())
    open_storage(Path("mlruns")).engine.dispose()
    with Path("mlruns/optuna.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (Path("mlruns/optuna.db").stat().st_size - 4096))
    err = refused(1, *MINI, "--resume")
    assert f"{Path.cwd()}/mlruns/optuna.db" in err and "malformed" in err
    assert "mlflow.db" not in err


@pytest.mark.parametrize("address", ["here", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:²", ":6379"])
def test_a_cluster_address_that_is_none(refused: Attempt, address: str) -> None:
    assert "HOST:PORT" in refused(2, *MINI, "--address", address)


def test_ray_asks_for_a_token_where_nobody_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first versions that can do it leave it off."""
    for given, used in ((None, "token"), ("disabled", "disabled")):
        monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
        if given:
            monkeypatch.setenv("RAY_AUTH_MODE", given)
        ray_session.prepare_environment()
        assert os.environ["RAY_AUTH_MODE"] == used


@pytest.mark.parametrize("mode", ["", "on"])
def test_ray_without_authentication_is_wished_for_in_so_many_words(
    refused: Attempt, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    assert f"RAY_AUTH_MODE={mode!r}" in refused(2, *MINI)


def test_a_cluster_that_is_not_there(refused: Attempt) -> None:
    began = time.monotonic()
    assert "127.0.0.1:1" in refused(1, *MINI, "--address", "127.0.0.1:1")
    assert "a..b:1" in refused(1, *MINI, "--address", "a..b:1")
    assert time.monotonic() - began < KNOWN_WITHIN


def test_a_host_that_drops_everything_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue of one connection, filled: the next one waits, as behind a silent firewall."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        with pytest.raises(UserError, match="no Ray cluster answers"):
            probe_address(f"127.0.0.1:{port}")
        assert time.monotonic() - began < KNOWN_WITHIN
        for each in waiting:
            each.close()


# The real command -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_dead_server_is_known_within_five_seconds_of_the_start(tmp_path: Path) -> None:
    """From cold, the quickest of three: other work on the machine is not what is measured."""
    command = [sys.executable, str(commands.ROOT / "search" / "tune.py"), *MINI]
    taken = []
    for _ in range(3):
        began = time.monotonic()
        words = [*command, "--tracking-uri", "http://127.0.0.1:1"]
        assert subprocess.run(words, cwd=tmp_path, capture_output=True).returncode == 1
        taken.append(time.monotonic() - began)
        if taken[-1] < KNOWN_WITHIN:
            return
    pytest.fail(f"it took {min(taken):.1f} s at best")


def test_a_traceback_is_there_for_who_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert tune.main([*MINI, "--set", "widht=32", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err

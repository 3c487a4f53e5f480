"""A real `mlflow server` that tests start and take away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from tests import commands


class Server:
    """On a port of its own, over `mlflow.db` and `artifacts/` in a folder."""

    def __init__(self, home: Path) -> None:
        self._home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again, and wait until it answers."""
        words = f"{sys.executable} -m mlflow server --workers 1 --host 127.0.0.1 --port {self.port}"
        file, kept = self._home / "mlflow.db", self._home / "artifacts"
        self._process = subprocess.Popen(
            [
                *words.split(),
                f"--backend-store-uri=sqlite:///{file}",
                f"--artifacts-destination={kept}",
            ],
            # Else it starts further processes, which run no job that we ask for.
            env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + commands.TIMEOUT
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "it ended"
            with suppress(OSError):
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                return
            time.sleep(0.2)
        raise AssertionError("the server does not answer")

    def take_away(self) -> None:
        """Kill it with all its workers, in the middle of whatever they do."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

"""Find the address of MLflow's store and probe it, without importing MLflow."""

from __future__ import annotations

import http.client
import os
import socket
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path

from search.errors import Failure, UserError, without_secrets
from search.files.sqlite import check, sqlite_file, sqlite_uri

PROBE_SECONDS = 3.0
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
EXPECTED = "use sqlite:///FILE, postgresql://..., or http://HOST:PORT of an MLflow server"


def resolve_uri(given: str | None, home: Path) -> str:
    """The store to use: `--tracking-uri`, else `$MLFLOW_TRACKING_URI`, else the local one."""
    uri = given or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return sqlite_uri(home / "mlflow.db")
    file = sqlite_file(uri)
    return sqlite_uri(file) if file else uri  # MLflow would read a relative path in its own way


def probe(uri: str) -> None:
    """Make sure that a store answers at `uri`, within five seconds.

    MLflow's client would retry a dead server for minutes.

    Raises:
        UserError: the address cannot be used, or nothing answers there.
    """
    shown = without_secrets(uri)
    file = sqlite_file(uri)
    if file is not None:
        check(file, table="experiments", owner="MLflow")
        return
    try:
        parts = urllib.parse.urlsplit(uri)
    except ValueError as error:
        raise UserError(
            f"--tracking-uri {shown}: not a valid address ({error})\n{EXPECTED}"
        ) from None
    kind = parts.scheme.split("+")[0]
    if kind == "sqlite":
        raise UserError(f"--tracking-uri {shown}: names no file\nuse sqlite:///FILE")
    if parts.scheme in ("", "file"):
        raise UserError(
            f"--tracking-uri {shown}: MLflow no longer keeps runs in plain folders\n"
            f"use a database, for example sqlite:///{Path(parts.path or uri).absolute()}/mlflow.db"
        )
    if kind not in PORTS:
        raise UserError(f"--tracking-uri {shown}: unknown kind {parts.scheme!r}\n{EXPECTED}")
    try:
        port = parts.port or PORTS[kind]
        host = parts.hostname or ""
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
        if parts.scheme.startswith("http"):
            address = f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}/health"
            # An HTTP error is an answer too, for example a request for a password.
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(address, timeout=PROBE_SECONDS).close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Failure(
            f"no MLflow store answers at {shown} ({error})\n"
            "start one (mlflow server --port 5000), correct --tracking-uri, or leave it out"
        ) from None

"""Where MLflow's store is, and whether anything answers there. Imports no MLflow."""

from __future__ import annotations

import http.client
import os
import re
import socket
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path

from search.errors import FAILED, UserError

PROBE_SECONDS = 3.0


def resolve_uri(given: str | None, home: Path) -> str:
    """The store to use: `--tracking-uri`, else `$MLFLOW_TRACKING_URI`, else the local one."""
    uri = given or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return sqlite_uri(home / "mlflow.db")
    file = sqlite_file(uri)
    return sqlite_uri(file) if file else uri  # MLflow reads a relative one in its own way


def without_secrets(uri: str) -> str:
    """The address with user names and passwords left out, fit for screens and logs."""
    return re.sub(r"//[^/]*@", "//***@", uri)


def probe(uri: str) -> None:
    """Make sure that something answers at `uri`, within five seconds.

    MLflow's client would retry a dead server for minutes.

    Raises:
        UserError: an address that cannot be used, or that nothing answers at.
    """
    parts = urllib.parse.urlsplit(uri)
    shown = without_secrets(uri)
    if parts.scheme == "sqlite":
        return
    if parts.scheme in ("", "file"):
        raise UserError(
            f"--tracking-uri {shown}: MLflow no longer keeps runs in plain folders\n"
            f"use a database, for example sqlite:///{Path(parts.path or uri).absolute()}/mlflow.db"
        )
    if parts.scheme.split("+")[0] not in ("http", "https", "postgresql", "mysql", "mssql"):
        raise UserError(
            f"--tracking-uri {shown}: unknown kind {parts.scheme!r}\n"
            "use sqlite:///FILE, postgresql://..., or http://HOST:PORT of an MLflow server"
        )
    default = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
    try:
        port = parts.port or default[parts.scheme.split("+")[0]]
        host = parts.hostname or ""
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
        if parts.scheme.startswith("http"):
            address = f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}/health"
            # An HTTP error is an answer too, if only a request for a password.
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(address, timeout=PROBE_SECONDS).close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UserError(
            f"no MLflow store answers at {shown} ({error})\n"
            "start one (mlflow server --port 5000), correct --tracking-uri, or leave it out",
            status=FAILED,
        ) from None


def sqlite_file(uri: str) -> Path | None:
    """The file of an SQLite address, None for others."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()


def sqlite_uri(file: Path) -> str:
    """The address of a file, absolute."""
    return f"sqlite:///{file.absolute()}"

"""MLflow: the only module that imports it.

Opens a store (creating the local one safely), finds or makes experiments and runs, and writes in
batches. What is written when is the recorder's business.
"""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from search.errors import FAILED, UserError

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

PROBE_SECONDS = 3.0
PARENT = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "FINISHED", "FAIL": "FAILED", "INTERRUPTED": "KILLED"}


def resolve_uri(given: str | None, home: Path) -> str:
    """The store to use: `--tracking-uri`, else `$MLFLOW_TRACKING_URI`, else the local one."""
    uri = given or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return _sqlite_uri(home / "mlflow.db")
    file = _sqlite_file(uri)
    return _sqlite_uri(file) if file else uri  # MLflow reads a relative one in its own way


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


class Store:
    """An open MLflow store.

    Attributes:
        uri: its address; print `without_secrets(uri)`.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        local = _sqlite_file(uri)
        if local is not None:
            try:
                _create_database(local)
            except OSError as error:
                raise UserError(
                    f"cannot make an MLflow store at {uri}: {error.strerror or error}\n"
                    "correct --tracking-uri, or leave it out",
                    status=FAILED,
                ) from None
        self._artifacts = local.parent / "artifacts" if local is not None else None
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)

    def experiment(self, name: str, tags: Mapping[str, str] | None = None) -> str:
        """The id of the experiment of that name, made with these tags when there is none."""
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            location = (self._artifacts / name).absolute().as_uri() if self._artifacts else None
            try:
                return str(
                    self._client.create_experiment(
                        name,
                        artifact_location=location,
                        # Else the user interface takes it for an application of language models.
                        tags={"mlflow.experimentKind": "custom_model_development", **(tags or {})},
                    )
                )
            except MlflowException:  # another driver was faster
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise
        if found.lifecycle_stage == "deleted":
            raise UserError(
                f"the MLflow experiment {name!r} is deleted\n"
                f"restore it: mlflow experiments restore --experiment-id {found.experiment_id}",
                status=FAILED,
            )
        return str(found.experiment_id)

    def find_run(self, experiment_id: str, **tags: str) -> str | None:
        """The id of the newest run that bears all these tags."""
        condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
        runs = self._client.search_runs(
            [experiment_id], condition, max_results=1, order_by=["attributes.start_time DESC"]
        )
        return str(runs[0].info.run_id) if runs else None

    def find_trial(self, trial_id: str) -> str | None:
        """The run of a trial in any experiment."""
        for experiment in self._client.search_experiments():
            run_id = self.find_run(experiment.experiment_id, trial_id=trial_id)
            if run_id:
                return run_id
        return None

    def start_run(
        self, experiment_id: str, *, name: str, tags: Mapping[str, str], parent: str | None = None
    ) -> str:
        """Make a run and return its id."""
        every = {**tags, "mlflow.user": _user(), "mlflow.source.name": "search/tune.py"}
        if parent:
            every[PARENT] = parent
        run = self._client.create_run(experiment_id, start_time=_now(), tags=every, run_name=name)
        return str(run.info.run_id)

    def reopen_run(self, run_id: str) -> None:
        """Set an ended run to RUNNING again."""
        self._client.update_run(run_id, status="RUNNING")

    def end_run(self, run_id: str, status: str) -> None:
        """Close a run as FINISHED, FAILED or KILLED."""
        self._client.set_terminated(run_id, status=status, end_time=_now())

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        step: int = 0,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Everything in one batch: key by key is forty times slower."""
        from mlflow.entities import Metric, Param, RunTag

        now = _now()
        self._client.log_batch(
            run_id,
            metrics=[Metric(key, value, now, step) for key, value in (metrics or {}).items()],
            params=[Param(key, _text(value)) for key, value in (params or {}).items()],
            tags=[RunTag(key, str(value)) for key, value in (tags or {}).items()],
        )

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Copy a file into the run's artifacts."""
        self._client.log_artifact(run_id, str(path), folder)

    def log_text(self, run_id: str, text: str, name: str) -> None:
        """Write `text` as the artifact `name`."""
        self._client.log_text(run_id, text, name)

    def history(self, run_id: str, metric: str) -> dict[int, float]:
        """step -> value of one metric of one run."""
        return {m.step: m.value for m in self._client.get_metric_history(run_id, metric)}

    def open_children(self, experiment_id: str, parent: str) -> list[str]:
        """Runs under `parent` that still count as RUNNING."""
        runs = self._client.search_runs(
            [experiment_id],
            f"tags.`{PARENT}` = '{parent}' and attributes.status = 'RUNNING'",
            max_results=5000,
        )
        return [str(run.info.run_id) for run in runs]


def open_existing(uri: str) -> Store:
    """The store at `uri`, which must be there already.

    Raises:
        UserError: nothing answers, or there is no such file.
    """
    probe(uri)
    file = _sqlite_file(uri)
    if file is not None and not file.exists():
        raise UserError(f"there is no MLflow store at {uri}\ngive its --tracking-uri")
    return Store(uri)


def source_tags(root: Path) -> dict[str, str]:
    """The commit that the code stands at, with `+` where it was changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "HEAD")
        changed = bool(commit) and bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"mlflow.source.git.commit": commit + "+" * changed} if commit else {}


def _sqlite_file(uri: str) -> Path | None:
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()


def _sqlite_uri(file: Path) -> str:
    return f"sqlite:///{file.absolute()}"


def _create_database(path: Path) -> None:
    """Make the SQLite store when there is none: whole under a temporary name, then renamed.

    MLflow's own first touch takes seconds, breaks when several processes do it together and
    leaves a half-made file behind when it is killed.
    """
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / ".mlflow.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists():  # made by another driver while this one waited
            return
        for stale in path.parent.glob(f".{path.name}.*.new"):
            stale.unlink()  # of a process that was killed: nobody else holds the lock
        new = path.parent / f".{path.name}.{os.getpid()}.new"
        with _quiet_mlflow():
            from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

            made = SqlAlchemyStore(f"sqlite:///{new}", (path.parent / "artifacts").as_uri())
            made.engine.dispose()
        new.rename(path)


@contextmanager
def _quiet_mlflow() -> Iterator[None]:
    """Keep the migration's account of itself off the screen."""
    import logging

    import mlflow  # sets its loggers' levels when it is imported, so before they are changed

    noisy = [logging.getLogger(name) for name in (mlflow.__name__, "alembic")]
    before = [logger.level for logger in noisy]
    for logger in noisy:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(noisy, before, strict=True):
            logger.setLevel(level)


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _now() -> int:
    return int(time.time() * 1000)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        return "unknown"


def versions() -> dict[str, str]:
    """Versions of what a result depends on, as tags."""
    from importlib.metadata import version

    names = ("torch", "ray", "optuna", "mlflow")
    return {"python": sys.version.split()[0]} | {name: version(name) for name in names}

"""MLflow's store: only this module, `database` and `registry` import MLflow.

It opens a store (and creates the local one safely), finds or creates experiments and runs, and
writes in batches. The recorder decides what to write, and when.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from filecmp import cmp
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from search.errors import Failure, UserError, without_secrets
from search.files import locations
from search.files.home import check_readable
from search.files.sqlite import create_once, sqlite_file
from search.tracking.address import probe
from search.tracking.database import check_local, create_database, of_another_schema

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
# The recorder itself repeats failed requests, after asking whether the store did them. The client's
# own retries do not ask, and go on for minutes before they raise an error.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

PAGE = 1000  # runs in one request
BATCH = 1000  # metrics that MLflow takes at a time
UNREACHABLE = ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED")
PARENT = "mlflow.parentRunId"
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "FINISHED", "FAIL": "FAILED", "INTERRUPTED": "KILLED"}


@dataclass(frozen=True)
class RunView:
    """A run as it stands in the store; metrics are the last values."""

    run_id: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Step:
    """Metrics of one step of a run, and the step's time in milliseconds."""

    step: int
    at: int
    metrics: Mapping[str, float]


class Store:
    """An open MLflow store.

    Args:
        moved: open it even if its folder was moved or copied and its artifacts would go elsewhere.

    Attributes:
        uri: its address; print `shown`, which contains no password.
        file: the database, None if it is not an SQLite file.
        client: MLflow's own, for this package.

    Raises:
        UserError: the store cannot be created, or was moved or copied.
    """

    def __init__(self, uri: str, *, moved: bool = False) -> None:
        self.uri = uri
        self.shown = without_secrets(uri)
        self.file = local = sqlite_file(uri)
        if local is not None:
            if not moved:
                check_local(uri)
            create_once(local, lambda new: create_database(new, locations.artifact_folder(local)))
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient

        try:
            self.client = MlflowClient(tracking_uri=uri)
        except MlflowException as error:
            raise of_another_schema(error, self.shown) or error from None

    def experiment(self, name: str, tags: Mapping[str, str] | None = None) -> str:
        """The id of the experiment of that name; if it is missing, create it with these tags."""
        from mlflow.exceptions import MlflowException

        experiment = self.client.get_experiment_by_name(name)
        if experiment is None:
            folder = locations.artifact_folder(self.file) if self.file else None
            location = (folder / name).as_uri() if folder else None
            try:
                return str(
                    self.client.create_experiment(
                        name,
                        artifact_location=location,
                        # Else the user interface shows it as an application of language models.
                        tags={"mlflow.experimentKind": "custom_model_development", **(tags or {})},
                    )
                )
            except MlflowException:  # another driver was faster
                experiment = self.client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage == "deleted":
            command = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
            raise Failure(f"the MLflow experiment {name!r} is deleted\nrestore it: {command}")
        return str(experiment.experiment_id)

    def tag_experiment(self, experiment_id: str, name: str, value: str) -> None:
        """Set a tag of an experiment."""
        self.client.set_experiment_tag(experiment_id, name, value)

    def find_experiment(self, name: str) -> str | None:
        """The id of the experiment of that name, None if it is missing or deleted."""
        experiment = self.client.get_experiment_by_name(name)
        return (
            str(experiment.experiment_id)
            if experiment and experiment.lifecycle_stage == "active"
            else None
        )

    def find_run(self, experiment_id: str, **tags: str) -> str | None:
        """The id of the newest run with all these tags."""
        runs = self.runs(experiment_id, limit=1, **tags)
        return runs[0].run_id if runs else None

    def runs(self, experiment_id: str, *, limit: int | None = None, **tags: str) -> list[RunView]:
        """The runs with all these tags, the newest first; at most `limit`, if given."""
        named = {PARENT if name == "parent" else name: value for name, value in tags.items()}
        condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in named.items())
        newest = ["attributes.start_time DESC"]
        return [
            RunView(
                run_id=str(run.info.run_id),
                status=str(run.info.status),
                tags=dict(run.data.tags),
                params=dict(run.data.params),
                metrics=dict(run.data.metrics),
            )
            for run in self._search(experiment_id, condition, most=limit, order_by=newest)
        ]

    def runs_of(self, experiment: str, *, limit: int | None = None, **tags: str) -> list[RunView]:
        """As `runs`, of the experiment of that name; none if there is no such experiment."""
        experiment_id = self.find_experiment(experiment)
        return self.runs(experiment_id, limit=limit, **tags) if experiment_id else []

    def _search(
        self, experiment_id: str, condition: str = "", *, most: int | None = None, **settings: Any
    ) -> Iterator[Any]:
        """MLflow's runs, page by page; at most `most`, if given."""
        token: str | None = ""
        left = most or sys.maxsize
        while token is not None and left > 0:
            page = self.client.search_runs(
                [experiment_id],
                condition,
                max_results=min(left, PAGE),
                page_token=token or None,
                **settings,
            )
            yield from page
            token, left = page.token or None, left - len(page)

    def find_trial(self, trial_id: str) -> str | None:
        """The run of a trial in any experiment."""
        for experiment in self.client.search_experiments():
            run_id = self.find_run(experiment.experiment_id, trial_id=trial_id)
            if run_id:
                return run_id
        return None

    def start_run(
        self,
        experiment_id: str,
        *,
        name: str,
        tags: Mapping[str, str],
        parent: str | None = None,
        source: str = "search/tune.py",
        began: int | None = None,
    ) -> str:
        """Create a run and return its id.

        Args:
            source: the command that creates it.
            began: its start in milliseconds, if it started earlier than now.
        """
        every = {**tags, "mlflow.user": _user(), "mlflow.source.name": source}
        if parent:
            every[PARENT] = parent
        run = self.client.create_run(
            experiment_id, start_time=began or now(), tags=every, run_name=name
        )
        return str(run.info.run_id)

    def reopen_run(self, run_id: str) -> None:
        """Set an ended run to RUNNING again."""
        self.client.update_run(run_id, status="RUNNING")

    def end_run(self, run_id: str, status: str, *, ended: int | None = None) -> None:
        """Close a run as FINISHED, FAILED or KILLED; `ended` is its end in milliseconds."""
        self.client.set_terminated(run_id, status=status, end_time=ended or now())

    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        step: int = 0,
        tags: Mapping[str, str] | None = None,
        timestamp: int | None = None,
    ) -> None:
        """Write everything in one batch: key by key takes forty times as long.

        A second call with the same `timestamp` (milliseconds) changes nothing.
        """
        from mlflow.entities import Metric, Param, RunTag

        when = timestamp or now()
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, when, step) for key, value in (metrics or {}).items()],
            params=[Param(key, _text(value)) for key, value in (params or {}).items()],
            tags=[RunTag(key, str(value)) for key, value in (tags or {}).items()],
        )

    def log_steps(self, run_id: str, steps: Iterable[Step]) -> None:
        """Write the metrics of several steps in as few batches as possible, each step in one.

        A second call changes nothing.
        """
        from mlflow.entities import Metric

        batches: list[list[Any]] = [[]]
        for step in steps:
            metrics = [
                Metric(key, value, step.at, step.step) for key, value in step.metrics.items()
            ]
            if len(batches[-1]) + len(metrics) > BATCH:
                batches.append([])
            batches[-1] += metrics
        for batch in batches:
            self.client.log_batch(run_id, metrics=batch)

    def log_file(self, run_id: str, path: Path) -> None:
        """Copy a file into the run's artifacts."""
        self.client.log_artifact(run_id, str(path))

    def log_text(self, run_id: str, text: str, name: str) -> None:
        """Write `text` as the artifact `name`."""
        self.client.log_text(run_id, text, name)

    def read_text(self, run_id: str, name: str) -> str | None:
        """The text of an artifact, None if the run has none of that name."""
        with TemporaryDirectory() as folder:
            file = self.download(run_id, name, Path(folder))
            return file.read_text(encoding="utf-8") if file else None

    def download(self, run_id: str, name: str, folder: Path) -> Path | None:
        """Copy an artifact (a file, or a folder with all in it) into `folder`; None if missing.

        Raises:
            UserError: the artifact exists, but this user may not read it.
        """
        from mlflow.exceptions import MlflowException

        try:
            return Path(self.client.download_artifacts(run_id, name, str(folder)))
        except (OSError, MlflowException):
            there = locations.local_path(self.client.get_run(run_id).info.artifact_uri)
            if there:
                check_readable(there / name)
            return None

    def holds(self, run_id: str, file: Path) -> bool:
        """Whether an artifact of the run equals this file byte for byte."""
        with TemporaryDirectory() as folder:
            there = self.download(run_id, file.name, Path(folder))
            return there is not None and cmp(there, file, shallow=False)

    def answers(self) -> bool:
        """Whether the store answers at this moment."""
        try:
            self.client.search_experiments(max_results=1)
        except Exception:
            return False
        return True

    def tags(self, run_id: str) -> dict[str, str]:
        """The tags of a run."""
        return dict(self.client.get_run(run_id).data.tags)

    def history(self, run_id: str, metric: str) -> dict[int, float]:
        """step -> value of one metric of one run."""
        return {m.step: m.value for m in self.client.get_metric_history(run_id, metric)}

    def log_folder(self, run_id: str, path: Path, name: str) -> None:
        """Copy a folder into the run's artifacts, as `name`."""
        self.client.log_artifacts(run_id, str(path), name)

    def experiments(self) -> dict[str, str]:
        """Name -> id of the experiments that are not deleted."""
        return {e.name: str(e.experiment_id) for e in self.client.search_experiments()}

    def run_ids(self, experiment_id: str) -> set[str]:
        """The ids of all runs of an experiment, deleted ones included: MLflow can restore them."""
        from mlflow.entities import ViewType

        every = self._search(experiment_id, run_view_type=ViewType.ALL)
        return {str(run.info.run_id) for run in every}

    def delete_run(self, run_id: str) -> None:
        """Mark a run as deleted; MLflow can restore it."""
        self.client.delete_run(run_id)

    def artifact_folder(self, experiment_id: str) -> Path | None:
        """The folder of the artifacts of an experiment's runs, if it is on this machine."""
        path = locations.local_path(self.client.get_experiment(experiment_id).artifact_location)
        return path if path and path.is_dir() else None

    def end_with_children(self, experiment_id: str, run_id: str, status: str) -> None:
        """Close a run, and before it as KILLED those under it that still count as RUNNING."""
        condition = f"tags.`{PARENT}` = '{run_id}' and attributes.status = 'RUNNING'"
        for child in list(self._search(experiment_id, condition)):
            self.end_run(child.info.run_id, "KILLED")
        self.end_run(run_id, status)


def is_unreachable(error: Exception) -> bool:
    """Whether `error` means that the store does not answer now, and not that it refuses a request.

    A locked or full database and a full disk count as unreachable: the user can fix them.
    """
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.error_code in UNREACHABLE
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)


def open_existing(uri: str, *, moved: bool = False) -> Store:
    """Open the store at `uri`, which must exist; `moved` as in `Store`.

    Raises:
        UserError: nothing answers, or the file is missing, or this user may not read it.
    """
    probe(uri)
    file = sqlite_file(uri)
    if file is not None:
        check_readable(file)
    if file is not None and not file.exists():
        raise UserError(
            f"there is no MLflow store at {uri}\n"
            "search first: python search/tune.py --pipeline cifar_contrastive; or give the store's "
            "--tracking-uri"
        )
    return Store(uri, moved=moved)


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def now() -> int:
    """Milliseconds, as MLflow counts them."""
    return int(time.time() * 1000)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        return "unknown"

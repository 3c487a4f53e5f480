"""MLflow: the only module that imports it.

Opens a store (creating the local one safely), finds or makes experiments and runs, and writes in
batches. What is written when is the recorder's business.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from search.database import create_once
from search.errors import FAILED, UserError
from search.tracking_address import probe, sqlite_file, without_secrets

if TYPE_CHECKING:
    from torch import Tensor, nn

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
# The recorder repeats what fails, for as long as it takes, and asks first whether it was done; the
# client's own attempts know nothing of that and go on for minutes before they say a word.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

PAGE = 1000  # runs a request
BATCH = 1000  # metrics that MLflow takes at a time
AWAY = ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED")
PARENT = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"
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
    """Metrics of one step of a run, and when it was, in milliseconds."""

    step: int
    at: int
    metrics: Mapping[str, float]


class Store:
    """An open MLflow store.

    Attributes:
        uri: its address; print `shown`, which has no password in it.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.shown = without_secrets(uri)
        local = sqlite_file(uri)
        if local is not None:
            try:
                create_once(local, _create_database)
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

    def tag_experiment(self, experiment_id: str, name: str, value: str) -> None:
        """Set a tag of an experiment."""
        self._client.set_experiment_tag(experiment_id, name, value)

    def find_experiment(self, name: str) -> str | None:
        """The id of an experiment that is there and not deleted."""
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id) if found and found.lifecycle_stage == "active" else None

    def find_run(self, experiment_id: str, **tags: str) -> str | None:
        """The id of the newest run that bears all these tags."""
        runs = self.runs(experiment_id, most=1, **tags)
        return runs[0].run_id if runs else None

    def runs(self, experiment_id: str, *, most: int | None = None, **tags: str) -> list[RunView]:
        """The runs that bear all these tags, the newest first."""
        named = {PARENT if name == "parent" else name: value for name, value in tags.items()}
        condition = " and ".join(f"tags.`{name}` = '{value}'" for name, value in named.items())
        found: list[RunView] = []
        token = None
        while True:
            page = self._client.search_runs(
                [experiment_id],
                condition,
                max_results=min(most or PAGE, PAGE),
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            found += [
                RunView(
                    run_id=str(run.info.run_id),
                    status=str(run.info.status),
                    tags=dict(run.data.tags),
                    params=dict(run.data.params),
                    metrics=dict(run.data.metrics),
                )
                for run in page
            ]
            token = page.token
            if not token or (most and len(found) >= most):
                return found

    def find_trial(self, trial_id: str) -> str | None:
        """The run of a trial in any experiment."""
        for experiment in self._client.search_experiments():
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
        """Make a run and return its id.

        Args:
            source: the command that makes it.
            began: milliseconds, where it is written after the fact.
        """
        every = {**tags, "mlflow.user": _user(), "mlflow.source.name": source}
        if parent:
            every[PARENT] = parent
        run = self._client.create_run(
            experiment_id, start_time=began or now(), tags=every, run_name=name
        )
        return str(run.info.run_id)

    def reopen_run(self, run_id: str) -> None:
        """Set an ended run to RUNNING again."""
        self._client.update_run(run_id, status="RUNNING")

    def end_run(self, run_id: str, status: str, *, ended: int | None = None) -> None:
        """Close a run as FINISHED, FAILED or KILLED; `ended` as `began` in `start_run`."""
        self._client.set_terminated(run_id, status=status, end_time=ended or now())

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
        """Everything in one batch: key by key is forty times slower.

        Repeated with the same `timestamp` (milliseconds) it changes nothing.
        """
        from mlflow.entities import Metric, Param, RunTag

        when = timestamp or now()
        self._client.log_batch(
            run_id,
            metrics=[Metric(key, value, when, step) for key, value in (metrics or {}).items()],
            params=[Param(key, _text(value)) for key, value in (params or {}).items()],
            tags=[RunTag(key, str(value)) for key, value in (tags or {}).items()],
        )

    def log_steps(self, run_id: str, steps: Iterable[Step]) -> None:
        """The metrics of several steps in as few batches as MLflow takes; a step is in one.

        Repeated it changes nothing.
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
            self._client.log_batch(run_id, metrics=batch)

    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Copy a file into the run's artifacts."""
        self._client.log_artifact(run_id, str(path), folder)

    def log_text(self, run_id: str, text: str, name: str) -> None:
        """Write `text` as the artifact `name`."""
        self._client.log_text(run_id, text, name)

    def read_text(self, run_id: str, name: str) -> str | None:
        """The text of an artifact, None where the run has none of that name."""
        with TemporaryDirectory() as folder:
            file = self.download(run_id, name, Path(folder))
            return file.read_text(encoding="utf-8") if file else None

    def download(self, run_id: str, name: str, folder: Path) -> Path | None:
        """Copy an artifact (a file, or a folder with all in it) into `folder`; None if missing."""
        from mlflow.exceptions import MlflowException

        try:
            return Path(self._client.download_artifacts(run_id, name, str(folder)))
        except (OSError, MlflowException):
            return None

    def answers(self) -> bool:
        """Whether the store can be read at this moment."""
        try:
            self._client.search_experiments(max_results=1)
        except Exception:
            return False
        return True

    def tags(self, run_id: str) -> dict[str, str]:
        """The tags of a run."""
        return dict(self._client.get_run(run_id).data.tags)

    def history(self, run_id: str, metric: str) -> dict[int, float]:
        """step -> value of one metric of one run."""
        return {m.step: m.value for m in self._client.get_metric_history(run_id, metric)}

    def log_folder(self, run_id: str, path: Path, name: str) -> None:
        """Copy a folder into the run's artifacts, as `name`."""
        self._client.log_artifacts(run_id, str(path), name)

    def register(
        self,
        name: str,
        *,
        run_id: str,
        artifact: str,
        alias: str,
        tags: Mapping[str, str],
        description: str,
    ) -> str:
        """Make the model in the run's folder `artifact` a version of the registered model `name`.

        A version that bears the same tags is taken as it is. `alias` then points to the version,
        which is returned.
        """
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        same = [
            version
            for version in self._client.search_model_versions(f"name = '{name}'")
            if tags.items() <= version.tags.items()
        ]
        version = (
            same[0].version
            if same
            else self._client.create_model_version(
                name,
                source=f"{self._client.get_run(run_id).info.artifact_uri}/{artifact}",
                run_id=run_id,
                tags=dict(tags),
                description=description,
            ).version
        )
        self._client.set_registered_model_alias(name, alias, version)
        return str(version)

    def aliased_run(self, name: str, alias: str) -> str | None:
        """The run behind an alias of a registered model, None if there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.get_model_version_by_alias(name, alias).run_id)
        except MlflowException:
            return None

    def experiments(self) -> dict[str, str]:
        """Name -> id, of those that are not deleted."""
        return {e.name: str(e.experiment_id) for e in self._client.search_experiments()}

    def run_ids(self, experiment_id: str) -> set[str]:
        """All runs of an experiment, deleted ones too: they can be restored."""
        from mlflow.entities import ViewType

        found: set[str] = set()
        token = None
        while True:
            page = self._client.search_runs(
                [experiment_id], run_view_type=ViewType.ALL, max_results=PAGE, page_token=token
            )
            found |= {str(run.info.run_id) for run in page}
            token = page.token
            if not token:
                return found

    def delete_run(self, run_id: str) -> None:
        """Mark a run as deleted; MLflow can restore it."""
        self._client.delete_run(run_id)

    def artifact_folder(self, experiment_id: str) -> Path | None:
        """Where the artifacts of an experiment's runs are, if that is a folder here."""
        location = str(self._client.get_experiment(experiment_id).artifact_location)
        path = Path(unquote(urlsplit(location).path))
        return path if location.startswith("file:") and path.is_dir() else None

    def open_children(self, experiment_id: str, parent: str) -> list[str]:
        """Runs under `parent` that still count as RUNNING."""
        runs = self._client.search_runs(
            [experiment_id],
            f"tags.`{PARENT}` = '{parent}' and attributes.status = 'RUNNING'",
            max_results=5000,
        )
        return [str(run.info.run_id) for run in runs]


def is_away(error: Exception) -> bool:
    """Whether `error` means that the store does not answer now, not that it refuses what is asked.

    A locked or full database and a full disk count as away: somebody can mend them.
    """
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.error_code in AWAY
    return isinstance(error, OSError) and not isinstance(error, FileNotFoundError)


def open_existing(uri: str) -> Store:
    """The store at `uri`, which must be there already.

    Raises:
        UserError: nothing answers, or there is no such file.
    """
    probe(uri)
    file = sqlite_file(uri)
    if file is not None and not file.exists():
        raise UserError(
            f"there is no MLflow store at {uri}\n"
            "search first: python search/tune.py --pipeline cifar_contrastive; or give the store's "
            "--tracking-uri"
        )
    return Store(uri)


def save_model(model: nn.Module, folder: Path, *, example: Tensor, code: Path) -> None:
    """Write `model` so that `mlflow.pytorch.load_model` reads it, without this project too.

    Args:
        folder: where to; made here.
        example: (B, C, H, W); its shape and the output's are the signature, B left open.
        code: the folder of the package that the model's classes are in, stored with it.
    """
    import mlflow.pytorch
    import numpy as np
    import torch
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    with torch.no_grad():
        output = model(example)

    def schema(tensor: Tensor) -> Schema:
        return Schema([TensorSpec(np.dtype(np.float32), (-1, *tensor.shape[1:]))])

    with _quiet_mlflow():
        mlflow.pytorch.save_model(
            model,
            str(folder),
            code_paths=[str(code)],
            signature=ModelSignature(inputs=schema(example), outputs=schema(output)),
            pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}", "numpy"],
            serialization_format="pickle",
        )


def _create_database(path: Path) -> None:
    """Make an SQLite store at `path`; MLflow's own first touch takes seconds."""
    with _quiet_mlflow():
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        made = SqlAlchemyStore(f"sqlite:///{path}", (path.parent / "artifacts").as_uri())
        made.engine.dispose()


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


def now() -> int:
    """Milliseconds, as MLflow counts them."""
    return int(time.time() * 1000)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a user database
        return "unknown"

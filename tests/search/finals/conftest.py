"""Reruns of ready-made studies, each a process, two at a time, and what they leave behind.

The studies are written straight into MLflow: what `rerun.py` reads of a search is there without
searching. The reruns go on in the background; the tests look at what each of them left.
"""

from __future__ import annotations

import hashlib
import json
import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from search.spaces.pipeline import Scalar, load_pipeline
from search.tracking.provenance import TWIN_OF
from search.tracking.store import Store
from tests import commands
from tests.search.ready import make_config
from tests.stores import prepare
from trainers.data import load_training
from trainers.protocol import VERSION

TWO = ("--top", "2", "--seeds", "2")
CONTRASTIVE = ("--pipeline", "mnist_contrastive", *TWO)
ALONE = ("--concurrency", "1")  # for trainings so short a second process costs more than it saves
# The least promising of the first two is the better one, the third is the best of all.
TINY = {"depth": 3, "batch_size": 128}
CANDIDATES = ({**TINY, "width": 1}, {**TINY, "width": 4}, {**TINY, "width": 8})
DIVERGES = {"lr": 1e20}

Changes = Mapping[str, Scalar]


@dataclass(frozen=True)
class Left:
    """What stands in a folder: MLflow's runs, the cells, the readings of the test set.

    Attributes:
        folder: where the command was run.
        runs: those of final numbers in all experiments.
        points: how many metric values the store holds.
        files: every file below mlruns/finals -> when it was written.
        readings: the ledger.
        documents: run -> its results.json: a later rerun writes some of them again.
    """

    folder: Path
    runs: list[Run]
    points: int
    files: dict[str, int]
    readings: list[dict[str, Any]]
    documents: dict[str, dict[str, Any]]

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=f"sqlite:///{self.folder / 'mlruns' / 'mlflow.db'}")

    @property
    def cells(self) -> set[str]:
        """The names of the cells' folders, without those that a killed process left half made."""
        folders = {name.split("/")[0] for name in self.files if name.endswith("/model.json")}
        return {folder for folder in folders if not folder.startswith(".")}

    def parent(self, pipeline: str = "mnist_contrastive", **params: int) -> Run:
        """The one rerun of a pipeline that was called with these parameters."""
        [found] = [
            run
            for run in self.runs
            if run.data.tags["kind"] == "rerun"
            and run.data.tags["pipeline"] == pipeline
            and all(run.data.params[name] == str(value) for name, value in params.items())
        ]
        return found

    def children(self, parent: Run, **tags: str) -> list[Run]:
        """The runs below a rerun that bear these tags."""
        tags = {"mlflow.parentRunId": parent.info.run_id, **tags}
        return [run for run in self.runs if tags.items() <= run.data.tags.items()]

    @property
    def tested(self) -> set[str]:
        """The cells that MLflow has a test accuracy of."""
        return {
            run.data.tags["cell"]
            for run in self.runs
            if "cell" in run.data.tags and "test/accuracy" in run.data.metrics
        }

    @staticmethod
    def artifact(run: Run, name: str) -> Path:
        return Path(run.info.artifact_uri.removeprefix("file://")) / name

    def right(self, run: Run) -> tuple[np.ndarray, np.ndarray]:
        """Which test images a cell's run got right, and their labels."""
        with np.load(self.artifact(run, "test.npz")) as outputs:
            return outputs["predictions"] == outputs["labels"], outputs["labels"]

    def results(self, run: Run) -> dict[str, Any]:
        """A rerun's results.json."""
        return self.documents[run.info.run_id]


def written(folder: Path) -> dict[str, int]:
    """Every file of cells below a folder -> when it was written."""
    finals = folder / "mlruns" / "finals"
    return {
        str(path.relative_to(finals)): path.stat().st_mtime_ns
        for path in finals.rglob("*")
        if path.is_file() and path.suffix not in (".lock", ".log")
    }


def look(folder: Path) -> Left:
    home = folder / "mlruns"
    client = MlflowClient(tracking_uri=f"sqlite:///{home / 'mlflow.db'}")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    with sqlite3.connect(home / "mlflow.db") as database:
        [points] = database.execute("select count(*) from metrics").fetchone()
    ledger = home / "test_readings.jsonl"
    runs = [run for run in client.search_runs(ids) if run.data.tags.get("rerun")]
    made = {run.info.run_id: Left.artifact(run, "results.json") for run in runs}
    documents = {run: json.loads(file.read_text()) for run, file in made.items() if file.exists()}
    return Left(
        folder=folder,
        runs=runs,
        points=points,
        files=written(folder),
        readings=[json.loads(line) for line in ledger.read_text().splitlines()]
        if ledger.exists()
        else [],
        documents=documents,
    )


def add_study(
    folder: Path,
    pipeline: str,
    *trials: Changes,
    study: str = "first",
    twin_of: str | None = None,
) -> None:
    """Add a study of COMPLETE trials with these changed parameters.

    The first trial is the most promising: 0.9, 0.8, and so on.
    """
    if not (folder / "mlruns" / "mlflow.db").exists():
        prepare(folder)
    store = Store(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    loaded = load_pipeline(pipeline)
    data = load_training(loaded.dataset, mini=True)
    experiment = store.experiment(f"{pipeline}-mini")
    tags = {
        "pipeline": pipeline,
        "study": study,
        "data": "mini",
        "data_fingerprint": data.fingerprint,
        "protocol": str(VERSION),
        **({TWIN_OF: twin_of} if twin_of else {}),
    }
    parent = store.start_run(experiment, name=study, tags={**tags, "kind": "study"})
    for number, changes in enumerate(trials):
        config = make_config(
            pipeline,
            trial_id=hashlib.sha256(f"{pipeline} {study} {number}".encode()).hexdigest()[:12],
            number=number,
            study=study,
            params={**loaded.defaults, **changes},
            seed=number,
            epochs=1,
        )
        own = {"kind": "trial", "trial_state": "COMPLETE", "trial_number": str(number)}
        own["trial_id"] = config.trial_id
        name = f"trial {number:03d}"
        run = store.start_run(experiment, name=name, parent=parent, tags={**tags, **own})
        params = {**config.params, "train_size": len(data.train), "epochs": 1}
        store.log(run, params=params, metrics={"valid/accuracy": 0.9 - number / 10})
        store.log_text(run, json.dumps(config.to_json()), "config.json")
        store.end_run(run, "FINISHED")
    store.end_run(parent, "FINISHED")


# The command ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended(commands.Ended):
    """And what stood in its folder then."""

    left: Left


def rerun(
    folder: Path,
    *arguments: str,
    until: Callable[[], object] | None = None,
    send: signal.Signals = signal.SIGKILL,
) -> Ended:
    """How `python search/rerun.py ...` ended in that folder; one that is broken off has own Ray."""
    # Without bfloat16 instructions float32 is the faster one, by whatever clock: a rerun's numbers
    # do not hang on how busy the machine is.
    environment = commands.plain_environment() | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    how = {"environment": environment, "own_group": True, "own_ray": until is not None}
    done = commands.run("search/rerun.py", *arguments, folder=folder, until=until, send=send, **how)
    return Ended(**vars(done), left=look(folder))


# What is run ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def reruns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Ended]]]:
    """Name -> how that rerun ended; two go on at a time."""
    one, two = ThreadPoolExecutor(1), ThreadPoolExecutor(1)  # each is one folder's: in its order
    whole, broken = (tmp_path_factory.mktemp(name) for name in ("whole", "broken"))
    for folder in (whole, broken):
        add_study(folder, "mnist_contrastive", *CANDIDATES)

    def all_three(folder: Path) -> Ended:
        add_study(folder, "mnist_autoencoder", {})
        add_study(folder, "mnist_supervised", DIVERGES, {})
        drawn = [{"width": 5}, {"width": 6}]
        add_study(folder, "mnist_contrastive", *drawn, study="second-random", twin_of="second")
        add_study(folder, "mnist_contrastive", *drawn, study="first-random", twin_of="first")
        return rerun(folder, "--pipeline", "all", *TWO, *ALONE, "--json", "all.json")

    def more_seeds(folder: Path) -> Ended:
        more = ("--pipeline", "mnist_autoencoder", "--top", "2", "--seeds", "3", "--quiet")
        return rerun(folder, *more, *ALONE, "--json", "more.json")

    def elsewhere(folder: Path, earlier: Future[Ended]) -> Ended:
        best = earlier.result().left.folder / "mlruns/champions/mnist_supervised-mini.json"
        given = ("--config", str(best), "--data", "mini", "--seeds", "2")
        without = ("--without", "ablation,defaults")
        return rerun(folder, "--pipeline", "mnist_supervised", *given, *without, *ALONE)

    steps = {
        "first": one.submit(rerun, whole, *CONTRASTIVE, "--json", "out.json"),
        "again": one.submit(rerun, whole, *CONTRASTIVE, "--json", "again.json"),
        "all": one.submit(all_three, whole),
        "more seeds": one.submit(more_seeds, whole),
    }
    for name, moment, send in MOMENTS:
        steps[name] = two.submit(broken_off, broken, moment, send)
    steps["finished"] = two.submit(rerun, broken, *CONTRASTIVE, *ALONE, "--quiet")
    steps["elsewhere"] = two.submit(elsewhere, tmp_path_factory.mktemp("else"), steps["all"])
    yield steps
    for pool in (one, two):
        pool.shutdown(cancel_futures=True)


# Interruptions, one after the other in the same folder ------------------------------------------


def trained(folder: Path) -> int:
    """How many cells are there."""
    return len(list((folder / "mlruns" / "finals").glob("[!.]*/model.json")))


def measured(folder: Path) -> int:
    """How many random encoders are there: made once Ray has ended, before the test set is read."""
    models = (folder / "mlruns" / "finals").glob("[0-9a-f]*/model.json")
    return sum(json.loads(file.read_text())["kind"] == "random_encoder" for file in models)


def tested(folder: Path) -> int:
    """How many cells the test set was read for."""
    return len(list((folder / "mlruns" / "finals").glob("[!.]*/test.json")))


def recorded(folder: Path) -> int:
    """How many runs in MLflow say that they are the champion's."""
    address = f"file:{folder / 'mlruns' / 'mlflow.db'}?mode=ro"
    query = "select count(*) from tags where key = 'champion' and value = 'true'"
    with sqlite3.connect(address, uri=True) as database:
        return int(database.execute(query).fetchone()[0])


MOMENTS = (
    ("killed in training", trained, signal.SIGKILL),
    ("interrupted", trained, signal.SIGINT),
    ("terminated", measured, signal.SIGTERM),
    ("killed in testing", tested, signal.SIGKILL),
    ("killed in recording", recorded, signal.SIGKILL),
)


def broken_off(folder: Path, moment: Callable[[Path], int], send: signal.Signals) -> Ended:
    """Go on until there is one more of what `moment` counts, then send the signal."""
    before = moment(folder)
    words = (*CONTRASTIVE, *ALONE)
    return rerun(folder, *words, until=lambda: moment(folder) > before, send=send)

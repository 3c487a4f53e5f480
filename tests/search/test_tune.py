"""Whole searches with real Ray, Optuna and an MLflow store in SQLite, each in a process."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from optuna.trial import FrozenTrial, TrialState

from search.spaces.pipeline import load_pipeline, pipeline_names
from search.study import study as studies
from tests import commands
from tests.commands import tune
from tests.processes import descendants, title
from tests.search.ready import BUILT_IN
from tests.search.trials.test_trial import ALWAYS, MEASURED
from tests.stores import prepare
from tests.studies import trials_of
from trainers.precision import DTYPES

pytestmark = pytest.mark.slow

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "FINISHED", "FAIL": "FAILED"}


def tiny(pipeline: str, *, trials: int, epochs: int, study: str, concurrency: int = 2) -> list[str]:
    """Arguments of a search that trains in moments."""
    space = load_pipeline(pipeline).space
    batch = min(space["batch_size"].choices)  # type: ignore[attr-defined]
    width = space["width"].low  # type: ignore[attr-defined]
    return (
        f"--pipeline {pipeline} --data mini --train-size 256 --study {study} "
        f"--trials {trials} --epochs {epochs} --concurrency {concurrency} "
        f"--set width={width} --set depth=3 --set batch_size={batch}"
    ).split()


@dataclass(frozen=True)
class Records:
    """What a search left behind: the study in Optuna and its runs in MLflow."""

    trials: list[FrozenTrial]
    parents: list[Run]
    children: list[Run]
    client: MlflowClient

    @property
    def parent(self) -> Run:
        [parent] = self.parents
        return parent

    def statuses(self) -> Counter[str]:
        return Counter(run.info.status for run in self.children)

    def artifacts(self, run: Run) -> dict[str, str]:
        """Name -> path on this disk."""
        listed = self.client.list_artifacts(run.info.run_id)
        root = Path(run.info.artifact_uri.removeprefix("file://"))
        return {entry.path: str(root / entry.path) for entry in listed}


def records(folder: Path, study: str) -> Records:
    """Read both stores and hold what is true of every one that no driver works on."""
    trials = trials_of(folder, study)
    client = MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
    ids = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = [run for run in client.search_runs(ids) if run.data.tags.get("study") == study]
    assert "RUNNING" not in {run.info.status for run in runs}
    assert TrialState.RUNNING not in {trial.state for trial in trials}
    parents = [run for run in runs if run.data.tags["kind"] == "study"]
    children = [run for run in runs if run.data.tags["kind"] == "trial"]
    assert len(parents) + len(children) == len(runs)
    for run in children:
        assert run.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
    return Records(trials, parents, children, client)


def agree(found: Records) -> None:
    """Every trained trial has one run, which says the same as Optuna does."""
    by_id = {run.data.tags["trial_id"]: run for run in found.children}
    assert len(by_id) == len(found.children)
    trained = [t for t in found.trials if not studies.is_duplicate(t)]
    started = [t for t in trained if studies.CONFIG in t.user_attrs]
    assert len(started) == len(found.children)
    for trial in started:
        config = trial.user_attrs[studies.CONFIG]
        metric = load_pipeline(config["pipeline"]).metric
        run = by_id[config["trial_id"]]
        tags, params = run.data.tags, run.data.params
        assert tags["trial_number"] == str(trial.number)
        assert int(params["seed"]) == config["seed"]
        for name, value in trial.params.items():
            shown = f"{value:.6g}" if isinstance(value, float) else str(value)
            assert params[name] == shown
        if trial.state is TrialState.WAITING:
            assert (tags["trial_state"], run.info.status) == ("INTERRUPTED", "KILLED")
            continue
        assert tags["trial_state"] == trial.state.name
        assert run.info.status == STATUS[trial.state.name]
        last = trial.intermediate_values
        if last:
            assert run.data.metrics[metric] == last[max(last)]
        if trial.state is TrialState.COMPLETE:
            assert run.data.metrics[metric] == trial.value
            assert run.data.metrics["objective"] == trial.value
        else:
            assert "objective" not in run.data.metrics, "what has no end is worth nothing yet"


# What is run, two searches at a time: much of a short one is waiting for processes to start ---

IN_ORDER = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
SIGNALS = [*IN_ORDER, signal.SIGKILL]
Background = dict[str, tuple[Path, Future[Any]]]


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    """Name -> the folder, and what the search in it will come to."""
    pool = ThreadPoolExecutor(2)
    started: Background = {}

    def submit(name: str, work: Callable[..., Any], *rest: object) -> None:
        folder = prepare(tmp_path_factory.mktemp(name))
        started[name] = folder, pool.submit(work, folder, *rest)

    submit("rich", tune, *RICH)
    for name in pipeline_names():
        submit(name, tune, *tiny(name, trials=2, epochs=1, study="tiny", concurrency=1))
    for each in SIGNALS:
        submit(each.name, stop_and_resume, each)
    submit("budget", tune, *BUDGET)
    submit("finite", tune, *FINITE)
    yield started
    pool.shutdown(cancel_futures=True)


# One tiny search for every pipeline in the folder ---------------------------------------------


@pytest.mark.parametrize("pipeline", BUILT_IN)
def test_every_pipeline_is_searched(pipeline: str, background: Background) -> None:
    folder, future = background[pipeline]
    done = future.result()
    assert (done.status, done.err) == (0, "")
    assert "stand-in data" in done.out
    found = records(folder, "tiny")
    agree(found)
    assert found.parent.info.status == "FINISHED"
    assert found.statuses() == {"FINISHED": 2}
    experiment = found.client.get_experiment(found.parent.info.experiment_id)
    assert experiment.name == f"{pipeline}-mini"
    decoded = {"valid/mae"} if pipeline.endswith(("autoencoder", "vae")) else set()
    bound = {"valid/elbo", "valid/kl"} if pipeline.endswith("vae") else set()
    for run in found.children:
        columns = ALWAYS - {"epoch"} | MEASURED | {"objective", "memory/peak_gib"}
        assert run.data.metrics.keys() == columns | decoded | bound
    uses_labels = load_pipeline(pipeline).uses_labels
    for run in (found.parent, *found.children):
        assert run.data.tags["pipeline"] == pipeline
        assert run.data.tags["data"] == "mini"
        assert run.data.tags["uses_labels"] == str(uses_labels).lower()
    first = next(t for t in found.trials if t.number == 0)
    smallest = load_pipeline(pipeline).space["width"].low  # type: ignore[attr-defined]
    fixed = {"width": smallest, "depth": 3, "batch_size": first.params["batch_size"]}
    assert first.params == {**load_pipeline(pipeline).defaults, **fixed}


# One richer search, and what can be done with it afterwards -----------------------------------

RICH = tiny("mnist_supervised", trials=6, epochs=3, study="rich")


@pytest.fixture(scope="module")
def rich(background: Background) -> tuple[Path, Any]:
    folder, future = background["rich"]
    return folder, future.result()


@pytest.fixture
def found(rich: tuple[Path, Any]) -> Records:
    return records(rich[0], "rich")


def test_a_search_leaves_one_parent_and_a_child_for_every_trial(
    rich: tuple[Path, Any], found: Records
) -> None:
    assert (rich[1].status, rich[1].err) == (0, "")
    agree(found)
    assert len(found.children) == 6
    assert [t.number for t in found.trials if not studies.is_duplicate(t)] == list(range(6))
    states = Counter(t.state.name for t in found.trials if not studies.is_duplicate(t))
    assert states["COMPLETE"] >= 1
    assert states["FAIL"] == 0
    metrics = found.parent.data.metrics
    for state in ("COMPLETE", "PRUNED", "FAIL"):
        assert metrics[f"trials/{state.lower()}"] == states[state]
    names = {run.info.run_name for run in found.children}
    assert names == {f"trial {number:03d}" for number in range(6)}


def test_the_parent_says_what_was_searched_and_how(found: Records) -> None:
    parent, tags = found.parent, found.parent.data.tags
    assert parent.info.run_name == "rich"
    expected = {
        "kind": "study",
        "pipeline": "mnist_supervised",
        "study": "rich",
        "data": "mini",
        "sampler": "tpe+gp",
        "scheduler": "predictive",
        "seed": "0",
    }
    assert {name: tags[name] for name in expected} == expected
    assert {"python", "torch", "ray", "optuna", "mlflow"} <= tags.keys()
    assert re.fullmatch("[0-9a-f]{16}", tags["data_fingerprint"])
    for run in found.children:
        assert run.data.tags["data_fingerprint"] == tags["data_fingerprint"]
    best = max(t.value or 0.0 for t in found.trials if t.state is TrialState.COMPLETE)
    assert parent.data.metrics["objective"] == best
    assert parent.data.metrics["time/seconds"] > 0


def test_the_parent_has_the_plots_and_the_best_configuration(found: Records) -> None:
    artifacts = found.artifacts(found.parent)
    assert {"search.html", "best.json"} <= artifacts.keys()
    page = Path(artifacts["search.html"]).read_text(encoding="utf-8")
    for heading in ("History", "Slices", "Parallel coordinates", "Learning curves"):
        assert f"<h2>{heading}</h2>" in page
    assert "Plotly.newPlot" in page
    assert not re.search(r"<script[^>]+src=", page), "it opens without a network"
    best = json.loads(Path(artifacts["best.json"]).read_text())
    assert best["trial_id"] == found.parent.data.tags["best_trial_id"]


def test_every_list_has_the_same_trial_on_top(rich: tuple[Path, Any], found: Records) -> None:
    """Optuna, MLflow's view, best.json, the summary and the running screen."""
    complete = [trial for trial in found.trials if trial.state is TrialState.COMPLETE]
    best = max(complete, key=lambda trial: (trial.value or 0.0, -trial.number))
    ranked = [run for run in found.children if "objective" in run.data.metrics]
    top = max(ranked, key=lambda run: run.data.metrics["objective"])
    assert top.data.metrics["objective"] == best.value
    kept = json.loads(Path(found.artifacts(found.parent)["best.json"]).read_text())
    assert kept["number"] == best.number
    out = rich[1].out
    assert re.search(rf"Best trials\n +trial {best.number}\b", out)
    assert re.findall(r"best (0\.\d{4})", out)[-1] == f"{best.value:.4f}"


def test_weights_are_kept_of_complete_trials_alone(rich: tuple[Path, Any], found: Records) -> None:
    from safetensors.torch import load_file

    for run in found.children:
        artifacts = found.artifacts(run)
        complete = run.data.tags["trial_state"] == "COMPLETE"
        assert ("weights.safetensors" in artifacts) == complete
        if complete:
            weights = load_file(artifacts["weights.safetensors"])
            assert {name.split(".")[0] for name in weights} == {"method", "classifier", "linear"}
            config = json.loads(Path(artifacts["config.json"]).read_text())
            assert config["trial_id"] == run.data.tags["trial_id"]
    assert list((rich[0] / "mlruns" / "studies" / "rich" / "trials").iterdir()) == []


def test_curves_are_logged_by_epoch(found: Records) -> None:
    for run in found.children:
        history = found.client.get_metric_history(run.info.run_id, "train/loss")
        steps = [metric.step for metric in history]
        complete = run.data.tags["trial_state"] == "COMPLETE"
        assert steps in ([[1, 2, 3]] if complete else [[1], [1, 2]])  # a rung after 1 and after 2
        probes = found.client.get_metric_history(run.info.run_id, "valid/linear_accuracy")
        assert [metric.step for metric in probes] == ([3] if complete else [])


def test_the_screen_tells_how_to_go_on(rich: tuple[Path, Any]) -> None:
    folder, done = rich
    out = done.out
    assert len(re.findall(r"^trial +\d+  (complete|pruned)", out, re.MULTILINE)) == 6
    for words in ("Best trials", "mlflow ui --backend-store-uri sqlite:///", "search.log"):
        assert words in out
    assert "6 of 6 trials" in out
    assert re.search(r"--replay [0-9a-f]{12}\b", out)
    assert (folder / "mlruns" / "studies" / "rich" / "search.log").is_file()
    for chatter in ("Warning", "ray.tune", "INFO", "/tmp/ray", "Trial status"):
        assert chatter not in out


def test_the_best_trial_trains_again_to_the_last_digit(rich: tuple[Path, Any]) -> None:
    folder, done = rich
    command = re.search(r"--replay ([0-9a-f]{12})\b", done.out)
    assert command
    before = len(records(folder, "rich").children)
    again = tune(folder, "--replay", command[1])
    assert (again.status, again.err) == (0, "")
    assert "the same curve" in again.out
    assert len(records(folder, "rich").children) == before, "a replay records nothing"


def test_a_replay_that_differs_says_so(rich: tuple[Path, Any]) -> None:
    """One recorded value is changed, which no training can give."""
    folder, _ = rich
    found = records(folder, "rich")
    pruned = next(r for r in found.children if r.data.tags["trial_state"] != "COMPLETE")
    found.client.log_metric(pruned.info.run_id, "train/loss", 123.0, step=1)
    again = tune(folder, "--replay", pruned.data.tags["trial_id"])
    assert again.status == 1
    assert "not the same curve" in again.out


def test_a_search_is_resumed_to_a_higher_number_without_training_again(
    rich: tuple[Path, Any],
) -> None:
    folder, _ = rich
    before = {run.info.run_id: run for run in records(folder, "rich").children}
    arguments = ["8" if a == "6" else a for a in RICH]
    refused = tune(folder, *arguments)
    assert refused.status == 2
    assert "'rich'" in refused.err and "--resume" in refused.err
    assert len(refused.err.splitlines()) <= 3
    # As if the study had been begun in the other precision, whatever is measured now.
    [measured] = {run.data.params["precision"] for run in before.values()}
    [other] = DTYPES.keys() - {measured}
    with sqlite3.connect(folder / "mlruns" / "optuna.db") as database:
        database.execute(
            "UPDATE trial_user_attributes SET value_json = replace(value_json, ?, ?)",
            (f'"{measured}"', f'"{other}"'),
        )
    done = tune(folder, *arguments, "--resume")
    assert (done.status, done.err) == (0, "")
    found = records(folder, "rich")
    for run in found.children:
        expected = measured if run.info.run_id in before else other
        assert run.data.params["precision"] == expected, "a study has one precision"
    agree(found)
    assert len(found.children) == 8
    assert found.parent.info.status == "FINISHED"
    for run in found.children:
        earlier = before.get(run.info.run_id)
        assert earlier is None or earlier.info.end_time == run.info.end_time
    enough = tune(folder, *arguments, "--resume")
    assert (enough.status, enough.err) == (0, "")
    assert len(records(folder, "rich").children) == 8, "there was nothing left to do"


# Interruptions ----------------------------------------------------------------------------------


def interrupted(folder: Path, send: signal.Signals, screen: int | None) -> commands.Ended:
    """Start a search, wait until a trial has ended and others are under way, send the signal."""
    process = commands.start("search/tune.py", *STOPPED, folder=folder, own_ray=True, screen=screen)
    try:
        commands.wait_for(process, lambda: under_way(folder, "stop"))
        family = descendants(process.pid)
        process.send_signal(send)
        out, err = process.communicate(timeout=60)
        if send is not signal.SIGKILL:
            time.sleep(1)  # a process that was told to end does so in a moment
            assert [title(pid) for pid in family if "ray" in title(pid)] == []
    finally:
        process.kill()
    return commands.Ended(process.wait(), out, err)


def under_way(folder: Path, study: str) -> bool:
    """Whether a trial has ended and another has reported, but will not have ended in a moment."""
    trials = trials_of(folder, study)
    ended = [t for t in trials if t.state.is_finished()]
    running = [t for t in trials if t.state is TrialState.RUNNING and t.intermediate_values]
    return bool(ended) and any(max(t.intermediate_values) <= LONG_BEFORE for t in running)


EPOCHS, LONG_BEFORE = 50, 40
STOPPED = [*tiny("mnist_supervised", trials=4, epochs=EPOCHS, study="stop"), "--scheduler", "none"]


@dataclass(frozen=True)
class Stopped:
    """A search that was interrupted, what it left, and how it went on."""

    ended: commands.Ended
    left: Records | None
    under_way: list[str]
    resumed: commands.Ended


def stop_and_resume(folder: Path, send: signal.Signals) -> Stopped:
    """Interrupt a search and go on with it: where its terminal closes, on a pipe without a reader.

    Its pipe alone, as `| head -1` closes it, stops nothing.
    """
    reader, screen = os.pipe() if send is signal.SIGHUP else (None, None)
    if reader is not None:
        os.close(reader)
    ended = interrupted(folder, send, screen)
    left = records(folder, "stop") if ended.status == 130 else None
    interrupted_trials = [
        trial.user_attrs[studies.CONFIG]["trial_id"]
        for trial in trials_of(folder, "stop")
        if not trial.state.is_finished() and trial.intermediate_values
    ]
    quiet = [] if screen else ["--quiet"]
    words = (*STOPPED, "--resume", *quiet)
    resumed = commands.run("search/tune.py", *words, folder=folder, screen=screen)
    if screen is not None:
        os.close(screen)
    return Stopped(ended, left, interrupted_trials, resumed)


@pytest.mark.parametrize("send", IN_ORDER)
def test_an_interrupted_search_ends_in_order(send: signal.Signals, background: Background) -> None:
    stopped = background[send.name][1].result()
    assert (stopped.ended.status, stopped.ended.err) == (130, "")
    assert "--resume" in stopped.ended.out or send is signal.SIGHUP
    found = stopped.left
    assert found is not None
    agree(found)
    assert found.parent.info.status == "KILLED"
    assert found.statuses()["KILLED"] >= 1
    assert 1 <= found.statuses()["FINISHED"] < 4


@pytest.mark.parametrize("send", SIGNALS)
def test_an_interrupted_search_is_finished_by_resuming(
    send: signal.Signals, background: Background
) -> None:
    """Also one whose driver was killed and could put nothing in order."""
    folder, future = background[send.name]
    done = future.result().resumed
    log = (folder / "mlruns" / "studies" / "stop" / "search.log").read_text(encoding="utf-8")
    assert (done.status, done.out, done.err) == (0, "", ""), log[-5000:]
    found = records(folder, "stop")
    agree(found)
    assert found.statuses() == {"FINISHED": 4}
    assert found.parent.info.status == "FINISHED"
    states = [t.state.name for t in found.trials if not studies.is_duplicate(t)]
    assert states == ["COMPLETE"] * 4
    for run in found.children:
        history = found.client.get_metric_history(run.info.run_id, "train/loss")
        assert [metric.step for metric in history] == list(range(1, EPOCHS + 1)), "each once"
    for left in ("studies/stop/trials", "ray/stop"):
        path = folder / "mlruns" / left
        assert not path.exists() or not list(path.iterdir()), f"{left} is not empty"


@pytest.mark.parametrize("send", SIGNALS)
def test_a_resumed_trial_has_the_curve_of_an_uninterrupted_one(
    send: signal.Signals, background: Background
) -> None:
    """To the last digit: a replay trains it again in one piece."""
    folder, future = background[send.name]
    trial_id = future.result().under_way[0]
    again = tune(folder, "--replay", trial_id)
    assert (again.status, again.err) == (0, ""), again.out
    assert "the same curve" in again.out


BUDGET = tiny("mnist_supervised", trials=500, epochs=20, study="budget")
BUDGET += ["--scheduler", "none", "--time-budget", "8s"]


def test_a_time_budget_ends_a_search_early_and_well(background: Background) -> None:
    folder, future = background["budget"]
    done = future.result()
    assert (done.status, done.err) == (0, "")
    found = records(folder, "budget")
    agree(found)
    assert len(found.children) < 500
    assert found.parent.info.status == "FINISHED"
    assert set(found.statuses()) <= {"FINISHED", "KILLED"}
    assert "--resume" in done.out


# All but one choice of two is fixed: there are two configurations, whatever --trials says.
FIXED = {
    **load_pipeline("mnist_contrastive").defaults,
    **{"width": 16, "depth": 3, "block": "strided", "projection": "head,none"},
}
FINITE = shlex.split("--pipeline mnist_contrastive --data mini --train-size 256")
FINITE += shlex.split("--trials 6 --epochs 1 --study finite")
FINITE += [f"--set={name}={value}" for name, value in FIXED.items()]


def test_a_finite_space_ends_the_search(background: Background) -> None:
    folder, future = background["finite"]
    done = future.result()
    assert (done.status, done.err) == (0, "")
    assert "every configuration of this space has been tried" in done.out
    found = records(folder, "finite")
    agree(found)
    assert len(found.children) == 2


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    arguments = tiny("cifar_contrastive", trials=4, epochs=2, study="dry")
    limit = ("--limit", "model/parameters<=200000")
    done = tune(tmp_path, *arguments, *limit, "--dry-run")
    assert (done.status, done.err) == (0, "")
    for words in ("width", "16 (fixed)", "images/s", "forecast: 4 trials", "MiB", "limits: "):
        assert words in done.out
    assert list(tmp_path.iterdir()) == []

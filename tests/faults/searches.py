"""Searches that are broken on purpose, and the comparison of all that they leave."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mlflow.tracking import MlflowClient
from optuna.trial import FrozenTrial, TrialState

from search.files import fault_injection
from search.study import study as studies
from search.tracking.store import STATUS
from search.trials.config import TrialConfig
from search.trials.trial import Trial, TrialImages
from tests import commands
from tests.processes import descendants, title
from tests.studies import trials_of
from trainers.data import TrainingData

CURVES = ("train/loss", "valid/accuracy")
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
STUDY = "broken"
Ended = dict[int, tuple[Any, ...]]


@dataclass
class Search:
    """A small real search in a folder of its own, which can be broken and gone on with.

    Attributes:
        folder: where it runs.
        trials, epochs: its size.
        environment: more of it.
        arguments: more of them.
        own_ray: whether the search that is broken starts Ray itself.
        cold_workers: whether that one starts its workers itself: they can be found below it.
        ended: what the study said of each trial that ended, when it was first seen to have.
    """

    folder: Path
    trials: int
    epochs: int
    environment: dict[str, str] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    own_ray: bool = True
    cold_workers: bool = False
    ended: Ended = field(default_factory=dict)

    def words(self, *more: str) -> list[str]:
        search = "--pipeline mnist_supervised --data mini --train-size 256 --concurrency 2 "
        search += "--set width=16 --set depth=3 --set batch_size=128 "
        search += f"--study {STUDY} --trials {self.trials} --epochs {self.epochs}"
        return [*search.split(), *self.arguments, *more]

    def start(self, *more: str, fault: str = "") -> commands.Process:
        """The command in its own process group; `fault` is MOMENT:N:DEED (fault_injection.py)."""
        environment = commands.plain_environment() | self.environment
        if fault:
            environment[fault_injection.VARIABLE] = f"{fault}:{self.folder / 'broken'}"
        where = {"folder": self.folder, "environment": environment}
        how = {"own_group": True, "own_ray": self.own_ray, "cold_workers": self.cold_workers}
        return commands.start("search/tune.py", *self.words(*more), **where, **how)

    def finish(self) -> None:
        """Go on, with nothing in the way, and hold that the command is content."""
        words = self.words("--resume", "--quiet")
        environment = commands.plain_environment() | self.environment
        where = {"folder": self.folder, "environment": environment}
        done = commands.run("search/tune.py", *words, **where, timeout=300)
        assert (done.status, done.out, done.err) == (0, "", ""), self.log

    def note_ended(self) -> None:
        """Whatever ended may never be trained again: it stays as it is seen the first time."""
        for trial in self.stored():
            if trial.state in ENDED:
                seen = (trial.state, trial.datetime_complete, trial.value, dict(trial.params))
                assert self.ended.setdefault(trial.number, seen) == seen

    @property
    def log(self) -> str:
        """The end of what the search logged."""
        file = self.folder / "mlruns" / "studies" / STUDY / "search.log"
        return file.read_text(encoding="utf-8")[-5000:] if file.exists() else ""

    def stored(self) -> list[FrozenTrial]:
        """The study's trials, as Optuna has them; none while there is no study."""
        return trials_of(self.folder, STUDY)

    def whole(self, data: TrainingData, uri: str | None = None) -> list[FrozenTrial]:
        """Hold that three stores agree, and that every curve is that of an undisturbed training."""
        self.note_ended()
        trials = [trial for trial in self.stored() if not studies.is_duplicate(trial)]
        assert len(trials) == self.trials
        assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.PRUNED}
        client = MlflowClient(tracking_uri=uri or f"sqlite:///{self.folder}/mlruns/mlflow.db")
        experiment = client.get_experiment_by_name("mnist_supervised-mini")
        runs = client.search_runs([experiment.experiment_id], max_results=1000)
        [parent] = [run for run in runs if run.data.tags["kind"] == "study"]
        assert parent.info.status == "FINISHED"
        runs = [run for run in runs if run.data.tags["kind"] == "trial"]
        by_id = {run.data.tags["trial_id"]: run for run in runs}
        assert len(by_id) == len(runs) == self.trials, "one run a trial"
        for trial in trials:
            config = TrialConfig.from_json(trial.user_attrs[studies.CONFIG])
            run = by_id[config.trial_id]
            assert run.info.status == STATUS[trial.state.name]
            assert run.data.tags["trial_state"] == trial.state.name
            assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
            stored: dict[str, dict[int, float]] = {}
            for name in CURVES:
                history = client.get_metric_history(run.info.run_id, name)
                assert len({metric.step for metric in history}) == len(history), "each epoch once"
                stored[name] = {metric.step: metric.value for metric in history}
            last = max(stored["train/loss"])
            assert stored["train/loss"].keys() == set(range(1, last + 1)), "no epoch is missing"
            assert stored == undisturbed(config, data, last)
            known = trial.intermediate_values
            assert known.items() <= stored["valid/accuracy"].items()
            if trial.state is TrialState.COMPLETE:
                assert last == self.epochs
                kept = {file.path for file in client.list_artifacts(run.info.run_id)}
                assert kept == {"config.json", "weights.safetensors"}
        for left in (f"studies/{STUDY}/trials", "ray"):
            path = self.folder / "mlruns" / left
            assert not path.exists() or not list(path.iterdir()), f"{left} is not empty"
        words = ("--tracking-uri", uri) if uri else ()
        doctor = commands.run("search/doctor.py", *words, folder=self.folder, timeout=120)
        assert (doctor.status, doctor.out) == (0, "all is well\n"), doctor.out
        return trials


def undisturbed(config: TrialConfig, data: TrainingData, last: int) -> dict[str, dict[int, float]]:
    """The curves of the trial trained in one piece, here, until epoch `last`."""
    torch.set_num_threads(config.threads)
    torch.set_flush_denormal(True)
    curves: dict[str, dict[int, float]] = {name: {} for name in CURVES}
    for metrics in Trial(config, TrialImages.load(data, "cpu")).epochs():
        epoch = int(metrics["epoch"])
        for name in CURVES:
            if name in metrics:
                curves[name][epoch] = metrics[name]
        if epoch == last:
            break
    return curves


# What is killed ---------------------------------------------------------------------------------


def kill(process: commands.Process, whom: str, choose: random.Random) -> str:
    """SIGKILL for the driver, its whole group with all below it, or one worker of it.

    Returns whom it met: where there is no worker at the moment, it is the driver.
    """
    if whom == "worker" and (found := workers_of(process)):
        with suppress(ProcessLookupError):
            os.kill(choose.choice(found), signal.SIGKILL)
        return "worker"
    if whom == "group":
        for pid in descendants(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate(timeout=60)
    return whom if whom == "group" else "driver"


def workers_of(process: commands.Process) -> list[int]:
    """The processes that train trials, whatever Ray calls them at the moment."""
    names = ("TrialWorker", "ResourceTr")
    return [p for p in descendants(process.pid) if any(name in title(p) for name in names)]

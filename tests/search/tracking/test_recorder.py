"""The recorder, on real SQLite stores: everything once and in order, whatever the store does."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

from search.tracking import recorder as recording_module, store as tracking
from search.tracking.recorder import Recorder
from search.tracking.store import Step, Store
from search.trials.config import TrialConfig
from search.trials.outcome import TrialOutcome
from tests.search.ready import make_config


def recorder(store: Store, folder: Path, **options: Any) -> Recorder:
    """As the study's run makes it, on the runs that are there already."""
    experiment = store.experiment("e")
    parent = store.find_run(experiment, kind="study") or store.start_run(
        experiment, name="p", tags={"kind": "study"}
    )
    runs = {run.tags["trial_id"]: run for run in store.runs(experiment, kind="trial")}
    return Recorder(
        store,
        experiment_id=experiment,
        parent=parent,
        tags={"data": "mini"},
        params={"train_size": 10},
        folder=folder,
        runs=runs,
        **options,
    )


def tell(
    recording: Recorder, configs: Sequence[TrialConfig], epochs: int, outcome: TrialOutcome | None
) -> None:
    """Trials that go on side by side, from their start to their end, if they have one."""
    for config in configs:
        recording.trial_started(config)
    for epoch in range(1, epochs + 1):
        for config in configs:
            recording.epoch_ended(config, {"epoch": epoch, "train/loss": 1 / epoch})
    for config in configs if outcome else ():
        recording.trial_ended(config, outcome)


def run_of(store: Store, config: TrialConfig) -> str:
    run_id = store.find_trial(config.trial_id)
    assert run_id is not None
    return run_id


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (TrialOutcome(state="COMPLETE", value=0.5), "FINISHED"),
        (TrialOutcome(state="PRUNED", value=0.5), "FINISHED"),
        (TrialOutcome(state="FAIL", error="loss is nan at step 7", traceback="Trace"), "FAILED"),
        (TrialOutcome(state="INTERRUPTED"), "KILLED"),
    ],
    ids=lambda given: given.state if isinstance(given, TrialOutcome) else given,
)
def test_how_a_trial_ended_is_told(
    store: Store, outcome: TrialOutcome, status: str, tmp_path: Path
) -> None:
    config = make_config()
    own = tmp_path / "trials" / config.trial_id
    own.mkdir(parents=True)
    recording = recorder(store, tmp_path / "trials")
    tell(recording, [config], 1, outcome)
    recording.close()
    assert recording.failures == 0
    run_id = run_of(store, config)
    run = store.client.get_run(run_id)
    assert run.info.status == status
    assert run.data.tags["trial_state"] == outcome.state
    assert run.data.tags.get("error") == outcome.error
    assert run.data.tags["data"] == "mini"
    assert run.data.metrics == {"train/loss": 1.0}
    assert run.data.params["train_size"] == "10"
    artifacts = store.client.list_artifacts(run_id)
    kept = {"COMPLETE": ["config.json"], "FAIL": ["error.txt"]}
    assert [a.path for a in artifacts] == kept.get(outcome.state, [])
    assert own.exists() == (outcome.state == "INTERRUPTED"), "the checkpoint that it goes on from"


def test_a_resumed_trial_goes_on_in_its_run(store: Store, tmp_path: Path) -> None:
    """It tells its first epochs again, one of which is not known, and runs on other threads."""
    for threads, epochs in ((1, 2), (4, 4)):
        recording = recorder(store, tmp_path)
        tell(recording, [make_config(threads=threads)], epochs, TrialOutcome(state="INTERRUPTED"))
        recording.close()
        assert recording.failures == 0
    client = store.client
    [run] = client.search_runs([store.experiment("e")], "tags.kind = 'trial'")
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in history] == [(e, 1.0 / e) for e in (1, 2, 3, 4)]
    assert run.data.params["threads"] == "1"  # where it began


def test_a_store_that_refuses_does_not_stop_the_search(store: Store, tmp_path: Path) -> None:
    config = make_config()
    recording = recorder(store, tmp_path)
    recording.trial_started(config)
    store.log = store.log_steps = None  # type: ignore[assignment, method-assign]
    recording.epoch_ended(config, {"epoch": 1, "train/loss": 2.0})
    recording.trial_ended(config, TrialOutcome(state="COMPLETE", value=0.5))
    recording.close()
    assert recording.failures >= 2


def test_epochs_are_written_together_and_soon(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch costs as much as an epoch; one that trains slowly is seen while it trains."""
    monkeypatch.setattr(recording_module, "BATCH_SECONDS", 0.5)
    batches: list[list[int]] = []
    log = store.log_steps

    def counted(run_id: str, steps: Sequence[Step]) -> None:
        batches.append([step.step for step in steps])
        log(run_id, steps)

    store.log_steps = counted  # type: ignore[assignment, method-assign]
    config, other = make_config(), make_config(trial_id="0" * 12, number=1)
    recording = recorder(store, tmp_path)
    tell(recording, [config, other], 3, None)
    recording.trial_ended(other, TrialOutcome(state="PRUNED", value=0.5))
    deadline = time.monotonic() + 20
    while len(batches) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert batches == [[1, 2, 3], [1, 2, 3]], "one's at its end, the other's while it trains"
    recording.epoch_ended(config, {"epoch": 4, "train/loss": 0.25})
    recording.trial_ended(config, TrialOutcome(state="PRUNED", value=0.5))
    recording.close()
    assert batches[2:] == [[4]]
    run_id = run_of(store, config)
    assert sorted(store.history(run_id, "train/loss")) == [1, 2, 3, 4]


def test_more_metrics_than_a_batch_holds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are split between steps, never within one."""
    monkeypatch.setattr(tracking, "BATCH", 5)
    run_id = store.start_run(store.experiment("e"), name="r", tags={})
    store.log_steps(run_id, [Step(n, 1000 + n, {"a": n, "b": -n}) for n in range(1, 8)])
    assert store.history(run_id, "a") == {n: n for n in range(1, 8)}
    assert store.history(run_id, "b") == {n: -n for n in range(1, 8)}


# A store that is away ---------------------------------------------------------------------------

WRITES = (
    "start_run",
    "reopen_run",
    "log",
    "log_steps",
    "log_text",
    "log_file",
    "end_run",
    "history",
)


class Unreliable(Store):
    """Now and then it does not answer: before it has done what it was asked, or after."""

    def __init__(self, uri: str, seed: int, share: float) -> None:
        super().__init__(uri)
        self.random = random.Random(seed)
        self.share = share
        self.breaks = 0
        for name in WRITES:
            setattr(self, name, self._break(getattr(self, name)))

    def _break(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def broken(*given: Any, **named: Any) -> Any:
            before, after = (self.random.random() < self.share for _ in range(2))
            self.breaks += before or after
            if before:
                raise ConnectionError("refused")
            result = work(*given, **named)
            if after:
                raise MlflowException("the connection was closed")
            return result

        return broken


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_module, "PAUSE", 0.001)
    monkeypatch.setattr(recording_module, "LONGEST_PAUSE", 0.002)
    monkeypatch.setattr(recording_module, "TRIES", 1000)


@pytest.mark.parametrize("seed", range(3))
def test_everything_is_recorded_once_by_a_store_that_breaks(
    store: Store, tmp_path: Path, seed: int
) -> None:
    broken = Unreliable(store.uri, seed, share=0.3)
    experiment = store.experiment("e")
    store.start_run(experiment, name="p", tags={"kind": "study"})
    configs = [make_config(trial_id=f"{n:012x}", number=n) for n in range(6)]
    recording = recorder(broken, tmp_path / "trials")
    tell(recording, configs, 3, TrialOutcome(state="COMPLETE", value=0.5))
    recording.close()
    assert broken.breaks > 10
    assert (recording.failures, recording.undelivered) == (0, 0)
    client = store.client
    runs = client.search_runs([experiment], "tags.kind = 'trial'")
    assert sorted(run.data.tags["trial_id"] for run in runs) == [c.trial_id for c in configs]
    for run in runs:
        assert run.info.status == "FINISHED"
        history = client.get_metric_history(run.info.run_id, "train/loss")
        assert [(m.step, m.value) for m in history] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]


def test_a_record_bears_the_time_at_which_it_happened(store: Store, tmp_path: Path) -> None:
    config, gate, said = make_config(), threading.Event(), []
    log = store.log

    def closed(*given: Any, **named: Any) -> None:
        if not gate.is_set():
            raise ConnectionError
        log(*given, **named)

    store.log = closed  # type: ignore[method-assign]
    recording = recorder(store, tmp_path, unreachable=said.append)
    tell(recording, [config], 1, TrialOutcome(state="PRUNED", value=0.5))
    happened = tracking.now()
    time.sleep(0.3)
    assert said == [True], "said once, not at every try"
    gate.set()
    recording.close()
    assert said == [True, False]
    run_id = run_of(store, config)
    info = store.client.get_run(run_id).info
    [metric] = store.client.get_metric_history(run_id, "train/loss")
    assert info.start_time <= metric.timestamp <= info.end_time <= happened


def test_the_end_of_a_search_waits_as_long_as_the_environment_says(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is counted, in order or not at all, and the trial's folder stays."""
    monkeypatch.setenv("LATENT_SEARCH_PATIENCE", "0.2")
    config = make_config()
    (tmp_path / config.trial_id).mkdir()
    recording = recorder(store, tmp_path)
    recording.trial_started(config)
    while not recording._runs or not recording._queue.empty():
        time.sleep(0.01)

    def away(*given: Any, **named: Any) -> None:
        raise ConnectionError

    store.log = store.log_steps = away  # type: ignore[method-assign]
    recording.epoch_ended(config, {"epoch": 1, "train/loss": 2.0})
    recording.epoch_ended(config, {"epoch": 2, "train/loss": 1.0})
    recording.trial_ended(config, TrialOutcome(state="COMPLETE", value=0.5))
    began = time.monotonic()
    recording.close()
    assert 0.2 <= time.monotonic() - began < 5
    assert (recording.failures, recording.undelivered) == (0, 3)
    assert (tmp_path / config.trial_id).exists()
    run_id = run_of(store, config)
    assert store.client.get_run(run_id).info.status == "RUNNING"


def test_a_record_after_the_end_is_repeated_too(store: Store, tmp_path: Path) -> None:
    """The study's own run is closed when all of its trials are."""
    recording = recorder(store, tmp_path)
    recording.close()
    answers = iter([ConnectionError("away"), ConnectionError("away"), None])

    def write() -> None:
        if error := next(answers):
            raise error

    recording.deliver(write)
    assert next(answers, "all were asked") == "all were asked"


def test_one_bad_record_does_not_hold_up_the_others(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store answers, and fails at this one again and again."""
    monkeypatch.setattr(recording_module, "TRIES", 3)
    config, log, tries = make_config(), store.log_steps, []

    def fails_at_two(run_id: str, steps: Sequence[Step]) -> None:
        if 2 in (step.step for step in steps):
            tries.append(len(steps))
            raise MlflowException("Internal Server Error")
        log(run_id, steps)

    store.log_steps = fails_at_two  # type: ignore[assignment, method-assign]
    recording = recorder(store, tmp_path)
    tell(recording, [config], 3, None)
    recording.close()
    assert tries == [3, 3, 3, 1, 1, 1], "together, then the bad one alone"
    assert (recording.failures, recording.undelivered) == (1, 0)
    run_id = run_of(store, config)
    assert sorted(store.history(run_id, "train/loss")) == [1, 3]


def test_a_locked_or_full_store_is_away_and_one_that_refuses_is_not() -> None:
    for unreachable in (
        MlflowException(
            "locked", error_code=TEMPORARILY_UNAVAILABLE
        ),  # what a database's OperationalError becomes
        MlflowException("API request failed"),  # nothing answers
        ConnectionError(),
        OSError(28, "No space left on device"),
    ):
        assert tracking.is_unreachable(unreachable), unreachable
    for refused in (
        MlflowException.invalid_parameter_value("a param cannot change"),
        FileNotFoundError("weights.safetensors"),
        KeyError("x"),
    ):
        assert not tracking.is_unreachable(refused), refused

"""What a driver that was killed left undone in MLflow, done from Optuna and the checkpoints."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search.study import study as studies
from search.tracking.backfill import recover
from search.tracking.recorder import Recorder
from search.tracking.store import RunView, Store
from search.trials import checkpoint
from search.trials.config import TrialConfig
from tests.search.ready import make_config
from tests.search.tracking.test_recorder import recorder
from tests.stores import prepare

METRIC = "valid/accuracy"
STATES = {
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "FINISHED",
    TrialState.FAIL: "FAILED",
    TrialState.WAITING: "KILLED",
}


class Stores:
    """An MLflow store, a study and the folder of trials under way."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")
        self.experiment = self.store.experiment("e")
        self.study = optuna.create_study(direction="maximize")
        self.trials = folder / "trials"

    def runs(self) -> dict[str, RunView]:
        runs = self.store.runs(self.experiment, kind="trial")
        assert len({run.tags["trial_id"] for run in runs}) == len(runs), "no trial has two"
        return {run.tags["trial_id"]: run for run in runs}

    def recorder(self) -> Recorder:
        return recorder(self.store, self.trials)

    def recover(self) -> int:
        recorder = self.recorder()
        count = recover(self.study, self.runs(), recorder, folder=self.trials)
        recorder.close()
        assert recorder.failures == 0
        return count

    def known_to_optuna(self, config: TrialConfig, state: TrialState) -> None:
        """Two epochs, then the state."""
        self.study.add_trial(
            create_trial(
                state=state,
                value=0.75 if state is TrialState.COMPLETE else None,
                user_attrs={studies.CONFIG: config.to_json(), studies.ERROR: "loss is nan"},
                intermediate_values={1: 0.5, 2: 0.75},
            )
        )

    def checkpoint(self, config: TrialConfig, *, weights: bool) -> Path:
        folder = self.trials / config.trial_id
        folder.mkdir(parents=True)
        history = [{"epoch": e, "train/loss": 1.0 / e, METRIC: 0.25 + e / 4} for e in (1, 2)]
        checkpoint.save_history(folder, history)
        if weights:
            (folder / "weights.safetensors").write_bytes(b"weights")
        return folder

    def values(self, config: TrialConfig, name: str) -> dict[int, float]:
        return self.store.history(self.runs()[config.trial_id].run_id, name)


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(prepare(tmp_path))


def begin(stores: Stores, config: TrialConfig, epochs: int) -> None:
    """What MLflow knew when the driver was killed."""
    recorder = stores.recorder()
    recorder.trial_started(config)
    for epoch in range(1, epochs + 1):
        entry = {"epoch": epoch, "train/loss": 1.0 / epoch, METRIC: 0.25 + epoch / 4}
        recorder.epoch_ended(config, entry)
    recorder.close()


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("known", [None, 0, 1, 2])
@pytest.mark.parametrize("kept", [True, False])
def test_a_killed_drivers_records_are_completed(
    state: TrialState, known: int | None, kept: bool, stores: Stores
) -> None:
    """Killed before MLflow's run was made, or after so many of the trial's two epochs."""
    config = make_config()
    stores.known_to_optuna(config, state)
    folder = stores.checkpoint(config, weights=state is TrialState.COMPLETE) if kept else None
    if known is not None:
        begin(stores, config, known)
    waits = state is TrialState.WAITING
    assert stores.recover() == (0 if waits and known is None else 1)
    if waits and known is None:
        assert stores.runs() == {}  # its run is made when it goes on
        return
    [run] = stores.runs().values()
    name = "INTERRUPTED" if waits else state.name
    assert (run.tags["trial_state"], run.status) == (name, STATES[state])
    assert run.params["lr"] and run.params["train_size"] == "10"
    if waits:
        assert stores.values(config, METRIC) == {
            e: 0.25 + e / 4 for e in range(1, (known or 0) + 1)
        }
        assert folder is None or folder.exists(), "it goes on from there"
        return
    assert stores.values(config, METRIC) == {1: 0.5, 2: 0.75}
    losses = stores.values(config, "train/loss")
    assert losses == {e: 1.0 / e for e in range(1, (2 if kept else known or 0) + 1)}
    assert (run.tags.get("error") == "loss is nan") == (state is TrialState.FAIL)
    weights = stores.store.read_text(run.run_id, "weights.safetensors")
    assert weights == ("weights" if kept and state is TrialState.COMPLETE else None)
    assert folder is None or not folder.exists()
    assert stores.recover() == 0, "nothing is left to do"


def test_what_is_whole_is_left_alone_and_its_folder_removed(stores: Stores) -> None:
    """Killed between the last record and the removal of the folder."""
    config = make_config()
    stores.known_to_optuna(config, TrialState.PRUNED)
    begin(stores, config, 2)
    assert stores.recover() == 1
    before = stores.runs()
    folder = stores.checkpoint(config, weights=False)
    assert stores.recover() == 0
    assert stores.runs() == before
    assert not folder.exists()


def test_duplicates_and_trials_that_never_started_have_no_records(stores: Stores) -> None:
    stores.study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={"duplicate_of": 0}))
    stores.study.add_trial(create_trial(state=TrialState.WAITING))
    assert stores.recover() == 0
    assert stores.runs() == {}

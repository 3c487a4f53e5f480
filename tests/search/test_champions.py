"""A champion is loaded by name, here and by MLflow alone, and gives what was measured."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from search import champions
from search.cells import heldout
from search.cells.opening import CHAMPION
from search.cells.store import CellStore, TrainedCell
from search.cells.training import facts, trial_config
from search.errors import UserError
from search.finals.records import Records
from search.finals.results import ResultRow
from search.trials.trial import Trial, TrialImages
from tests.damage import flip
from tests.search.ready import planned
from tests.unprivileged import unprivileged
from trainers.data.test_set import load_test

ROOT = Path(__file__).resolve().parents[2]
NAME = "mnist_contrastive-mini"
HERE = """
from search import champions
model = champions.load("mnist_contrastive-mini")
"""
ALONE = """
import mlflow.pytorch
mlflow.set_tracking_uri("sqlite:///mlruns/mlflow.db")
model = mlflow.pytorch.load_model("models:/mnist_contrastive-mini@champion")
"""
GIVES = """
import sys
import numpy as np
import torch
assert not model.training
images = torch.from_numpy(np.load("images.npy")).float() / 255
with torch.no_grad():
    latents = model.encoder(images)
    logits = model(images)
    assert torch.equal(model.classifier(latents), logits)
np.savez(sys.argv[1], latents=latents, predictions=logits.argmax(1))
print(sys.modules["models"].__file__)
"""


@dataclass(frozen=True)
class Champion:
    """A folder in which one was registered."""

    folder: Path
    kept: TrainedCell
    run_id: str

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlruns' / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        return self.folder / "mlruns" / "artifacts" / NAME / self.run_id / "artifacts"


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """Trained, tested, recorded and registered as `rerun.py` does it, but without Ray."""
    folder = tmp_path_factory.mktemp("champion")
    plan, store = planned(folder)
    cell = plan.final_cells()[0]
    config = trial_config(cell, number=1, group="test", resources=plan.resources)
    trial = Trial(config, TrialImages.load(plan.data, "cpu"))
    curves = [{**metrics, "timestamp": time.time() * 1000} for metrics in trial.epochs()]
    kept = CellStore(plan.home / "finals").keep(
        cell, weights=trial.weights, curves=curves, facts=facts(plan.resources)
    )
    ledger = plan.home / heldout.LEDGER
    test = heldout.TestSet(plan.data, data_dir=None, ledger=ledger, device="cpu")
    test.read(kept, purpose="a test")
    records = Records(plan, store)
    row = ResultRow(name="config 1", kind="final", kept=(kept,), uses_labels=False)
    run_ids = records.record(row, {"champion": "true"})
    records.register(row, run_ids)
    np.save(folder / "images.npy", load_test("mnist", mini=True).images)
    return Champion(folder, kept, run_ids[cell.id])


@pytest.mark.slow
def test_fresh_processes_give_what_was_measured(champion: Champion) -> None:
    """MLflow needs nothing of this project: the package `models` lies beside the weights."""
    started = {
        name: subprocess.Popen(
            [sys.executable, "-c", code + GIVES, f"{name}.npz"],
            cwd=champion.folder,
            env={"OMP_NUM_THREADS": "1", **({"PYTHONPATH": str(ROOT)} if name == "here" else {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, code in (("here", HERE), ("alone", ALONE))
    }
    ended = {name: process.communicate(timeout=300) for name, process in started.items()}
    measured = champion.kept.test_outputs()
    found = {}
    for name, process in started.items():
        assert process.returncode == 0, ended[name][1]
        with np.load(champion.folder / f"{name}.npz") as outputs:
            found[name] = {key: outputs[key] for key in outputs.files}
        assert (found[name]["predictions"] == measured["predictions"]).all()
        assert np.abs(found[name]["latents"] - measured["latents"]).max() <= 1e-5
    assert np.abs(found["here"]["latents"] - found["alone"]["latents"]).max() <= 1e-5
    assert ended["here"][0].strip() == str(ROOT / "models" / "__init__.py")
    assert not ended["alone"][0].startswith(str(ROOT))


def test_the_store_below_the_current_folder_is_the_default(champion: Champion) -> None:
    with chdir(champion.folder):
        model = champions.load(NAME)
    assert model.decoder is None
    assert not model.training
    assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}


def test_without_one_of_its_own_a_folder_has_the_published(
    champion: Champion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only by default: who names a store means that one."""
    folder = champions.published_folder(NAME, tmp_path / "results")
    monkeypatch.setattr(champions, "published_folder", lambda name: folder)
    folder.mkdir(parents=True)
    for file in CHAMPION:
        shutil.copy(champion.artifacts / file, folder)
    (tmp_path / "empty").mkdir()
    with chdir(tmp_path / "empty"):
        model = champions.load(NAME)
        with pytest.raises(UserError, match="there is no MLflow store"):
            champions.load(NAME, tracking_uri="sqlite:///none.db")
        assert list(Path.cwd().iterdir()) == []
    measured = champion.kept.test_outputs()
    images = torch.from_numpy(np.load(champion.folder / "images.npy")).float() / 255
    with torch.no_grad():
        assert (model(images).argmax(1).numpy() == measured["predictions"]).all()
    (folder / "weights.safetensors").write_bytes(b"half")
    with chdir(tmp_path / "empty"), pytest.raises(UserError) as caught:
        champions.load(NAME)
    assert str(caught.value) == (
        f"weights.safetensors of the published {NAME} is gone or damaged\n"
        f"bring it back: git checkout -- docs/results/{NAME}"
    )


def test_there_is_no_champion(champion: Champion) -> None:
    with pytest.raises(UserError, match="cifar_supcon-mini has no champion in sqlite") as caught:
        champions.load("cifar_supcon-mini", tracking_uri=champion.uri)
    assert "search/rerun.py --pipeline cifar_supcon" in str(caught.value)
    assert "cifar_supcon-mini" not in str(caught.value).splitlines()[1]
    assert caught.value.status == 1


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
@pytest.mark.parametrize("damage", [Path.unlink, flip])
@pytest.mark.parametrize("sealed", [True, False])
def test_weights_that_are_gone_or_damaged(
    champion: Champion, name: str, damage: Callable[[Path], object], sealed: bool
) -> None:
    """Of a champion from before `model.json` bore hashes too: `test.json` knows its weights."""
    file, model = champion.artifacts / name, champion.artifacts / "model.json"
    before, whole = model.read_bytes(), file.read_bytes()
    try:
        if not sealed:
            described = {k: v for k, v in json.loads(before).items() if k != "hashes"}
            model.write_text(json.dumps(described, indent=2))
        damage(file)
        if (name, damage, sealed) == ("model.json", flip, False):
            file.write_bytes(b"{}")  # nothing tells one seed from another
        with pytest.raises(UserError) as caught:
            champions.load(NAME, tracking_uri=champion.uri)
    finally:
        file.write_bytes(whole)
        model.write_bytes(before)
    first, second = str(caught.value).splitlines()
    assert first.startswith(name) and first.endswith("is gone or damaged")
    assert champion.run_id in first
    assert second == (
        "make it again: python search/rerun.py --pipeline mnist_contrastive --data mini "
        "--config best.json"
    )
    assert caught.value.status == 1
    champions.load(NAME, tracking_uri=champion.uri)


@pytest.mark.parametrize("mode", [0o600, 0o700], ids=["file", "folder"])
def test_weights_that_may_not_be_read_are_not_gone(champion: Champion, mode: int) -> None:
    file = champion.artifacts / "weights.safetensors"
    closed = file if mode == 0o600 else file.parent
    before = closed.stat().st_mode
    closed.chmod(mode if os.geteuid() == 0 else 0)
    try:
        with (
            unprivileged(champion.folder),
            pytest.raises(UserError, match=f"may not read .*{champion.run_id}") as caught,
        ):
            champions.load(NAME, tracking_uri=champion.uri)
    finally:
        closed.chmod(before)
    assert "chmod -R a+rX mlruns" in str(caught.value)
    assert "gone" not in str(caught.value)


def test_others_may_read_all_that_is_kept_and_recorded(champion: Champion) -> None:
    mlruns = champion.folder / "mlruns"
    for path in (mlruns, *mlruns.rglob("*")):
        allowed = 0o055 if path.is_dir() else 0o044
        assert path.stat().st_mode & allowed == allowed, path
    with unprivileged(champion.folder):
        assert champions.load(NAME, tracking_uri=champion.uri).encoder


def test_weights_of_another_network(champion: Champion) -> None:
    file = champion.artifacts / "model.json"
    whole = file.read_text()
    other = json.loads(whole)
    other["params"]["width"] = 8
    try:
        file.write_text(json.dumps(other))
        with pytest.raises(UserError, match=f"run {champion.run_id}"):
            champions.load(NAME, tracking_uri=champion.uri)
    finally:
        file.write_text(whole)

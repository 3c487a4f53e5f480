"""A champion is loaded by name, here and by MLflow alone, and gives what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search import champions, rerun
from search.errors import UserError
from search.finals import measurement
from search.finals.cells import Kept, Shelf
from search.finals.plan import open_store, settle
from search.finals.records import Records
from search.finals.results import Row
from search.finals.training import facts, trial_config
from search.pipeline import load_pipeline
from search.trial import Trial, TrialImages
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
    kept: Kept
    run_id: str

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlruns' / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        return self.folder / "mlruns" / "artifacts" / NAME / self.run_id / "artifacts"


@pytest.fixture(scope="module")
def champion(prepare: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Champion:
    """Trained, tested, recorded and registered as `rerun.py` does it, but without Ray."""
    folder = prepare(tmp_path_factory.mktemp("champion"))
    params = {**load_pipeline("mnist_contrastive").defaults, "width": 4}
    best = {"pipeline": "mnist_contrastive", "params": params, "epochs": 1}
    (folder / "best.json").write_text(json.dumps(best))
    options: Any = rerun.parser().parse_args(
        [*("--pipeline", "mnist_contrastive", "--data", "mini"), *("--config", "best.json")]
    )
    with chdir(folder):
        store = open_store(options)
        plan = settle(options, "mnist_contrastive", store)
    cell = plan.final_cells()[0]
    config = trial_config(cell, number=1, group="test", resources=plan.resources)
    trial = Trial(config, TrialImages.load(plan.data, "cpu"))
    curves = [{**metrics, "timestamp": time.time() * 1000} for metrics in trial.epochs()]
    kept = Shelf(plan.home / "finals").keep(
        cell, weights=trial.weights, curves=curves, facts=facts(plan.resources)
    )
    ledger = plan.home / measurement.LEDGER
    test = measurement.TestSet("mnist", data_dir=None, mini=True, ledger=ledger, device="cpu")
    test.read(kept, purpose="a test")
    records = Records(plan, store)
    run_id = records.record(kept, "final", "config 1", {"champion": "true"}, uses_labels=False)
    row = Row(name="config 1", kind="final", kept=(kept,), uses_labels=False)
    records.register(row, {cell.id: run_id})
    np.save(folder / "images.npy", load_test("mnist", mini=True).images)
    return Champion(folder, kept, run_id)


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


def test_there_is_no_champion(champion: Champion) -> None:
    with pytest.raises(UserError, match="cifar_supcon-mini has no champion in sqlite") as caught:
        champions.load("cifar_supcon-mini", tracking_uri=champion.uri)
    assert "search/rerun.py --pipeline cifar_supcon" in str(caught.value)
    assert "cifar_supcon-mini" not in str(caught.value).splitlines()[1]
    assert caught.value.status == 1


def test_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no MLflow store"):
        champions.load(NAME, tracking_uri=f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.safetensors", None),
        ("model.json", None),
        ("weights.safetensors", b""),
        ("weights.safetensors", b"half"),
        ("model.json", b"{"),
        ("model.json", b"{}"),
    ],
    ids=["no weights", "no model", "empty", "cut off", "no JSON", "no description"],
)
def test_weights_that_are_gone_or_damaged(
    champion: Champion, name: str, content: bytes | None
) -> None:
    file = champion.artifacts / name
    whole = file.read_bytes()
    try:
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(UserError, match="gone or damaged") as caught:
            champions.load(NAME, tracking_uri=champion.uri)
    finally:
        file.write_bytes(whole)
    assert champion.run_id in str(caught.value)
    assert "make them again: python search/rerun.py --pipeline mnist_contrastive" in str(
        caught.value
    )
    assert caught.value.status == 1


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

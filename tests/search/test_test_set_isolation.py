"""What trains and chooses has not loaded the module that knows the test images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRIAL = """
import sys
from search.pipeline import load_pipeline
from search.trial import Trial, TrialConfig, TrialImages
from trainers.data import load_training
import search.worker, search.driver, search.session

name = sys.argv[1]
data = load_training(name.split("_")[0], mini=True, train_size=80)
params = {**load_pipeline(name).defaults, "width": 4, "depth": 3, "batch_size": 40}
config = TrialConfig(
    trial_id="t", number=0, study="s", pipeline=name, params=params, seed=0, epochs=1
)
[metrics] = Trial(config, TrialImages.load(data, "cpu")).epochs()
assert "valid/accuracy" in metrics
assert not any(metric.startswith("test/") for metric in metrics)
loaded = [module for module in sys.modules if "test_set" in module]
print("loaded:", loaded)
import trainers.data.test_set
print("it exists:", "trainers.data.test_set" in sys.modules)
"""
FINALS = """
import sys
import search.finals.baselines, search.finals.candidates, search.finals.cells
import search.finals.plan, search.finals.training
print("loaded:", [module for module in sys.modules if "test_set" in module])
import search.finals.measurement
print("it exists:", "trainers.data.test_set" in sys.modules)
"""


@pytest.mark.parametrize("pipeline", ["mnist_autoencoder", "cifar_supervised"])
def test_a_trial_does_not_load_the_test_set(pipeline: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRIAL, pipeline], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["loaded: []", "it exists: True"]


def test_final_trainings_and_the_choice_do_not_load_the_test_set() -> None:
    """Only what measures it does, and the driver, which calls that after the choice."""
    done = subprocess.run([sys.executable, "-c", FINALS], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["loaded: []", "it exists: True"]

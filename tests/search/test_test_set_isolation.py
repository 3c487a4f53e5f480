"""What trains and chooses has not loaded the module that knows the test images."""

from __future__ import annotations

import pytest

from tests import commands

TRIAL = """
import sys
from search.spaces.pipeline import load_pipeline
from search.trials.config import TrialConfig
from search.trials.trial import Trial, TrialImages
from trainers.data import load_training
import search.cluster.worker, search.tuning.driver, search.tuning.session

for name in ("mnist_autoencoder", "cifar_supervised"):
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
import search.cells.baselines, search.finals.candidates, search.cells.cell
import search.finals.plan, search.cells.training
print("loaded:", [module for module in sys.modules if "test_set" in module])
import search.cells.heldout
print("it exists:", "trainers.data.test_set" in sys.modules)
"""


@pytest.mark.slow
@pytest.mark.parametrize("program", [TRIAL, FINALS], ids=["a trial", "finals and the choice"])
def test_what_trains_and_chooses_does_not_load_the_test_set(program: str) -> None:
    """Of the finals only what measures it does, and the driver, which calls that at the end."""
    done = commands.cold(program)
    assert done.status == 0, done.err
    assert done.out.splitlines() == ["loaded: []", "it exists: True"]

"""What the champions are measured against is measured of every pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.cells import baselines
from search.cells.heldout import TestSet
from search.cells.store import CellStore
from search.cluster.resources import Resources
from search.spaces.pipeline import load_pipeline
from search.trials.trial import TrialImages
from tests.made_cell import made_cell
from tests.search.ready import BUILT_IN, few


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_untrained_encoder_has_the_measures_of_the_protocol(name: str, tmp_path: Path) -> None:
    pipeline = load_pipeline(name)
    params = {**pipeline.defaults, "width": 4}
    cell = made_cell(
        kind="random_encoder", dataset=pipeline.dataset, pipeline=name, params=params, epochs=0
    )
    data, elsewhere = few(pipeline.dataset), Resources(device="cuda")  # GPUs that others have
    kept = baselines.make(
        cell,
        cell_store=CellStore(tmp_path),
        images=TrialImages.load(data, elsewhere.driver_device),
        resources=elsewhere,
        facts={},
    )
    for measure in ("accuracy", "linear_accuracy", "knn_accuracy"):
        assert 0 <= kept.metrics[f"train/{measure}"] <= 1 >= kept.metrics[f"valid/{measure}"]
    test_set = TestSet(data, data_dir=None, ledger=tmp_path / "readings", device="cpu")
    numbers = test_set.read(kept, purpose="a test")
    assert 0 <= numbers["accuracy"] <= 1
    for none in ("mae", "elbo"):
        assert none not in numbers and f"valid/{none}" not in kept.metrics, "it has no decoder"

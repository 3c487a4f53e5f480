"""Few labels for real: digits, a small contrastive encoder, every way far above chance.

A published solution reports chance, 10 %, for both of its ways: a way that never learns, a frozen
batch normalisation or labels out of step with their images would show here.
"""

from __future__ import annotations

import pytest
import torch

from search.cells.store import CellStore, TrainedCell
from search.spaces import builders
from search.spaces.pipeline import load_pipeline
from search.sweeps import few_labels
from search.trials.trial import TrialImages, weights_on_cpu
from tests.made_cell import made_cell
from trainers.data import load_training
from trainers.evaluation import evaluate
from trainers.loop import fit

NAME = "mnist_contrastive"
PARAMS = {**load_pipeline(NAME).defaults, "width": 8, "batch_size": 128, "latent_dim": 32}


@pytest.fixture(scope="module")
def images() -> TrialImages:
    return TrialImages.load(load_training("mnist", mini=True), "cpu")


@pytest.fixture(scope="module")
def kept(images: TrialImages, tmp_path_factory: pytest.TempPathFactory) -> TrainedCell:
    """A few epochs of contrastive training, on the cell_store."""
    torch.manual_seed(0)
    method = load_pipeline(NAME).method(PARAMS)
    assert isinstance(method, torch.nn.Module)
    for _ in fit(method, images.train, builders.optimisation(PARAMS), epochs=4, seed=0):
        pass
    measured = evaluate(method, images.train, images.valid, classes=10, seed=0)
    cell = made_cell(train_size=len(images.train), pipeline=NAME, params=PARAMS, epochs=4)
    return CellStore(tmp_path_factory.mktemp("cell_store")).keep(
        cell,
        weights=weights_on_cpu(method, measured),
        curves=[{"epoch": 4.0, "timestamp": 0.0, **measured.metrics}],
        facts={"precision": "float32", "device": "cpu", "threads": 1},
    )


@pytest.mark.slow
def test_every_way_is_far_above_chance_and_more_labels_help(
    kept: TrainedCell, images: TrialImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(few_labels, "QUICK_DRAWS", 2)
    found = few_labels.measure(kept, images, True)
    accuracies = found["accuracies"]
    assert set(accuracies) == set(few_labels.MODES)
    for mode in few_labels.MODES:
        few, many = (accuracies[mode][str(count)] for count in (20, 160))
        assert len(few) == len(many) == 2
        assert min(few) > 3 * few_labels.CHANCE, (mode, few)
        assert min(many) > 6 * few_labels.CHANCE, (mode, many)
        assert sum(many) > sum(few)
        for count, values in ((20, few), (160, many)):
            assert found[few_labels.metric(mode, count)] == pytest.approx(sum(values) / 2)


@pytest.mark.slow
def test_the_pretrained_weights_are_left_as_they_were(
    kept: TrainedCell, images: TrialImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(few_labels, "QUICK_DRAWS", 1)
    monkeypatch.setattr(few_labels, "QUICK_LABELS", (20,))
    before = kept.weights_hash()
    one, same = (few_labels.measure(kept, images, True) for _ in range(2))
    assert one == same, "draws and trainings follow from the seeds"
    assert kept.weights_hash() == before

"""The stand-in rewards learning: the first search of a newcomer shows encoders that get better."""

from __future__ import annotations

import pytest

from search.spaces.pipeline import METRIC, load_pipeline
from search.trials.trial import Trial, TrialImages
from tests.search.ready import make_config
from trainers.data import load_training
from trainers.evaluation import evaluate
from trainers.loop import fit_stems

pytestmark = pytest.mark.slow
EPOCHS = 4  # as in the README's first search


@pytest.fixture(scope="module")
def images() -> TrialImages:
    return TrialImages.load(load_training("cifar", mini=True), "cpu")


def trial(pipeline: str, images: TrialImages) -> Trial:
    params = load_pipeline(pipeline).defaults
    return Trial(make_config(pipeline, params=params, seed=0, epochs=EPOCHS), images)


def reached(pipeline: str, images: TrialImages) -> float:
    *_, last = trial(pipeline, images).epochs()
    return last[METRIC]


def test_a_contrastive_encoder_learns_what_an_untrained_one_does_not_know(
    images: TrialImages,
) -> None:
    """0.83, 0.78, 0.80 against 0.44, 0.41, 0.46 with seeds 0 to 2 in bfloat16."""
    untrained = trial("cifar_contrastive", images).method
    fit_stems(untrained, images.train)
    before = evaluate(untrained, images.train, images.valid, classes=10, seed=0).metrics[METRIC]
    assert reached("cifar_contrastive", images) >= max(0.70, before + 0.15)


def test_a_supervised_one_learns_it_all(images: TrialImages) -> None:
    """1.00 with each of three seeds."""
    assert reached("cifar_supervised", images) >= 0.85

"""Goals and limits: what the options may say, what a trial's metrics are worth by them."""

from __future__ import annotations

import pytest

from search.errors import UserError
from search.spaces.goals import (
    PARAMETERS,
    Aims,
    Goal,
    Limit,
    describe,
    feasible,
    known_before,
    metric_names,
    parse_aims,
)
from search.spaces.pipeline import load_pipeline
from search.trials.trial import Trial, TrialImages
from tests.search.ready import few, make_config

PIPELINE = load_pipeline("cifar_autoencoder")


def test_a_limit_says_by_how_much_it_is_exceeded() -> None:
    most, least = Limit.parse("valid/mae <= 0.050"), Limit.parse("valid/accuracy>=0.8")
    assert (str(most), str(least)) == ("valid/mae<=0.05", "valid/accuracy>=0.8")
    assert (most.key, least.key) == ("over/valid/mae", "under/valid/accuracy")
    assert most.violation(0.06) == pytest.approx(0.2), "a share of the bound"
    assert most.violation(0.05) == 0 and most.violation(0.04) < 0
    assert least.violation(0.6) == pytest.approx(0.25) and least.violation(0.9) < 0
    assert Limit.parse("valid/elbo>=0").violation(-3) == 3, "there is no share of nothing"
    exceeded = {str(most): most.violation(0.06), str(least): least.violation(0.9)}
    assert not feasible(exceeded)
    assert describe(exceeded) == "valid/mae is 0.01 over 0.05"
    weights = Limit.parse("model/parameters<=2e5")
    assert weights.describe(weights.violation(1_234_567)) == (
        "model/parameters is 1,034,567 over 200000"
    )


@pytest.mark.parametrize(
    ("objectives", "limits", "said"),
    [
        ([], ["valid/mae"], "expected METRIC<=NUMBER"),
        ([], ["valid/mae<0.05"], "expected METRIC<=NUMBER"),
        ([], ["0.1<=valid/mae<=0.5"], "expected METRIC<=NUMBER"),
        ([], ["valid/mae<="], "'' is not a number"),
        ([], ["valid/mae<=low"], "'low' is not a number"),
        ([], ["valid/mae<=nan"], "nan is not finite"),
        ([], ["valid/mae>=-inf"], "-inf is not finite"),
        ([], ["test/accuracy>=0.5"], "log no such metric"),
        ([], ["<=0.5"], "log no such metric"),
        ([], ["valid/mae<=1", "valid/mae<=2"], "was named before, in valid/mae<=1"),
        (["valid/mea:min"], [], "log no such metric"),
        (["valid/mae:down"], [], "'down' is not a direction"),
        (["valid/mae:"], [], "'' is not a direction"),
        (["valid/mae:min", "valid/mae"], [], "was named before, in valid/mae:min"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_metrics_there_are(
    objectives: list[str], limits: list[str], said: str
) -> None:
    with pytest.raises(UserError) as refusal:
        parse_aims(PIPELINE, objectives, limits)
    first, second = str(refusal.value).splitlines()
    assert said in first and (limits or objectives)[-1] in first
    assert second == f"there are: {', '.join(metric_names(PIPELINE))}"
    assert len(second) < 390, "the middle would be cut out"


def test_a_third_goal_is_refused() -> None:
    with pytest.raises(UserError, match="3 goals were given\nname one or two"):
        parse_aims(PIPELINE, ["valid/accuracy", "valid/mae:min", "train/loss:min"], [])


def test_aims_stand_in_the_identity_only_where_they_are_not_the_pipelines_own() -> None:
    usual = parse_aims(PIPELINE, [], [])
    assert usual == Aims.of(PIPELINE.metric) and usual.to_json(PIPELINE.metric) == {}
    assert parse_aims(PIPELINE, [PIPELINE.metric], []).to_json(PIPELINE.metric) == {}, (
        "named, but its own"
    )
    limits = ["valid/mae<=0.50", "model/parameters<=2e5", "valid/mae>=0.1"]
    aims = parse_aims(PIPELINE, ["valid/accuracy", "valid/mae:min"], limits)
    assert aims.goals == (Goal("valid/accuracy"), Goal("valid/mae", minimise=True))
    stored = aims.to_json(PIPELINE.metric)
    assert stored["limits"] == ["model/parameters<=200000", "valid/mae<=0.5", "valid/mae>=0.1"]
    assert Aims.from_json(stored, PIPELINE.metric) == aims
    assert parse_aims(PIPELINE, [], limits) == parse_aims(PIPELINE, [], limits[::-1]), (
        "in any order"
    )


@pytest.mark.parametrize("pipeline", ["mnist_supervised", "mnist_autoencoder", "mnist_vae"])
def test_the_metrics_that_can_be_named_are_those_that_a_trial_logs(pipeline: str) -> None:
    changes = {"latent_dim": 8} if pipeline == "mnist_vae" else {}
    config = make_config(pipeline, changes, epochs=1)
    [metrics] = Trial(config, TrialImages.load(few("mnist"), "cpu")).epochs()
    process = {"memory/peak_gib"}  # a worker adds it
    logged = metrics.keys() - {"epoch", "objective"} | process
    assert set(metric_names(load_pipeline(pipeline))) == logged
    before = known_before(load_pipeline(pipeline), config.params)
    assert before == {PARAMETERS: metrics[PARAMETERS]}

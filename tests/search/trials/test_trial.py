"""One configuration trained once on a few images, alone and as Ray's workers do it."""

from __future__ import annotations

import dataclasses
import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from search.spaces.pipeline import Pipeline
from search.spaces.rebuild import rebuild
from search.trials import trial as trial_module
from search.trials.config import TrialConfig
from search.trials.trial import Trial, TrialImages
from tests.search.ready import BUILT_IN, few, make_config
from tests.trial_steps import finish, told, with_loss, worker
from trainers.evaluation import encode, reconstruction_mae
from trainers.loop import NonFiniteLoss
from trainers.methods import Autoencoder

pytestmark = pytest.mark.slow

ALWAYS = {
    "epoch",
    "train/loss",
    "train/lr",
    "time/epoch_seconds",
    "time/images_per_second",
    "model/parameters",
}
MEASURED = {
    "valid/accuracy",
    "train/accuracy",
    "train/linear_accuracy",
    "valid/linear_accuracy",
    "train/knn_accuracy",
    "valid/knn_accuracy",
    "valid/rankme",
    *(f"time/{part}_seconds" for part in ("evaluation", "classifier", "linear", "knn")),
}


def images(pipeline: str) -> TrialImages:
    return TrialImages.load(few(pipeline.split("_")[0]), "cpu")


@pytest.mark.parametrize("pipeline", BUILT_IN)
def test_every_pipeline_reports_the_same_columns(pipeline: str) -> None:
    config = make_config(pipeline, epochs=2, rungs=(1,))
    trial = Trial(config, images(pipeline))
    extra = {"valid/mae"} if pipeline.endswith(("autoencoder", "vae")) else set()
    bound = {"valid/elbo", "valid/kl"} if pipeline.endswith("vae") else set()
    epochs = list(trial.epochs())
    assert [metrics["epoch"] for metrics in epochs] == [1, 2]
    rung, end = epochs
    time = "time/evaluation_seconds"
    compared_by = {"valid/accuracy", "valid/rankme", time, "time/classifier_seconds"}
    assert rung.keys() == ALWAYS | compared_by | bound, "what a scheduler needs"
    assert end.keys() == ALWAYS | MEASURED | extra | bound | {"objective"}
    for metrics in epochs:
        assert all(torch.isfinite(torch.tensor(value)) for value in metrics.values())
        assert metrics[time] > 0
    for name in ("valid/accuracy", "train/accuracy", "valid/linear_accuracy", *extra):
        assert 0 <= end[name] <= 1


@pytest.mark.parametrize(
    ("pipeline", "measured"), [("mnist_autoencoder", [2, 5]), ("mnist_supervised", [1, 2, 3, 4, 5])]
)
def test_a_frozen_encoder_is_measured_at_the_rungs_and_a_joint_classifier_in_every_epoch(
    pipeline: str, measured: list[int]
) -> None:
    config = make_config(pipeline, epochs=5, rungs=(2,))
    epochs = list(Trial(config, images("mnist")).epochs())
    assert [m["epoch"] for m in epochs if "valid/accuracy" in m] == measured
    assert [m["epoch"] for m in epochs if "valid/linear_accuracy" in m] == [5], "at the end only"


def test_a_configuration_survives_json() -> None:
    config = make_config(rungs=(1, 3), precision="bfloat16", threads=2, final=True, ablation=True)
    text = json.dumps(config.to_json())
    back = TrialConfig.from_json(json.loads(text))
    assert back == config
    assert back.rungs == (1, 3)
    with pytest.raises(TypeError):
        TrialConfig.from_json({**config.to_json(), "unknown": 1})


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("pipeline", ["mnist_supervised", "mnist_autoencoder"])
def test_a_trial_is_worth_what_it_has_at_its_end_and_keeps_the_weights_of_it(
    pipeline: str, final: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of three epochs is said to be the best, and counts for nothing."""
    real = trial_module.evaluate
    said = iter([0.3, 0.9, 0.6])

    def evaluate(*given: object, **named: object):  # type: ignore[no-untyped-def]
        measured = real(*given, **named)  # type: ignore[arg-type]
        measured.metrics["valid/accuracy"] = next(said)
        return measured

    monkeypatch.setattr(trial_module, "evaluate", evaluate)
    config = make_config(pipeline, epochs=3, rungs=(1, 2), final=final)
    trial = Trial(config, images("mnist"))
    epochs = []
    for metrics in trial.epochs():
        assert bool(trial.weights) == (metrics["epoch"] == 3)
        epochs.append(metrics)
    assert [metrics.get("objective") for metrics in epochs] == [None, None, 0.6]
    last = trial.method.state_dict()
    kept = {name: value for name, value in trial.weights.items() if name.startswith("method.")}
    assert {value.dtype for value in kept.values() if value.ndim > 1} == {torch.float16}
    for name, value in kept.items():
        assert torch.equal(value.float(), last[name.removeprefix("method.")].float()), name


@pytest.mark.parametrize("pipeline", BUILT_IN)
def test_the_weights_make_the_reported_accuracy_again(pipeline: str) -> None:
    data = images(pipeline)
    trial = Trial(make_config(pipeline, epochs=3), data)
    *_, end = trial.epochs()
    assert all(v.device.type == "cpu" and v.is_contiguous() for v in trial.weights.values())
    model = {"kind": "trained", "dataset": data.spec.name, **trial.config.to_json()}
    made = rebuild(model, trial.weights)
    guesses = made.classifier(encode(made.encoder, data.valid)).argmax(1)
    hits = (guesses == data.valid.labels).float().mean().item()
    assert hits == pytest.approx(end["valid/accuracy"], abs=1e-6)


# Final trainings -------------------------------------------------------------------------------


def test_a_final_training_is_trained_as_its_precision_says_and_measured_in_float32() -> None:
    """Without `final` the same training is measured in bfloat16 too."""
    data = images("mnist")
    config = make_config("mnist_autoencoder", epochs=2, precision="bfloat16", final=True)
    trial = Trial(config, data)
    final = list(trial.epochs())
    decoder = trial.method.decoder
    assert isinstance(decoder, nn.Module)
    exact = reconstruction_mae(trial.method.encoder, decoder, data.valid)
    rough = reconstruction_mae(trial.method.encoder, decoder, data.valid, precision="bfloat16")
    assert exact != rough
    assert final[-1]["valid/mae"] == exact and "train/mae" in final[-1]
    usual = list(Trial(dataclasses.replace(config, final=False), data).epochs())
    assert usual[-1]["valid/mae"] == rough and "train/mae" not in usual[-1]
    assert [m["train/loss"] for m in final] == [m["train/loss"] for m in usual]
    float32 = list(Trial(dataclasses.replace(config, precision="float32"), data).epochs())
    assert [m["train/loss"] for m in final] != [m["train/loss"] for m in float32]


def test_a_final_training_is_measured_in_float32_at_its_end_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[str] = []
    evaluate = trial_module.evaluate

    def noting(*given: object, precision: str, **named: object) -> object:
        measured.append(precision)
        return evaluate(*given, precision=precision, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(trial_module, "evaluate", noting)
    config = make_config("mnist_supervised", epochs=3, precision="bfloat16", final=True)
    list(Trial(config, images("mnist")).epochs())
    assert measured == ["bfloat16", "bfloat16", "float32"]


@pytest.mark.parametrize("pipeline", ["mnist_contrastive", "cifar_supcon"])
def test_an_ablation_is_the_same_encoder_that_reconstructs(pipeline: str) -> None:
    data = images(pipeline)
    config = make_config(pipeline, epochs=1)
    whole = Trial(config, data)
    without = Trial(dataclasses.replace(config, ablation=True), data)
    assert isinstance(without.method, Autoencoder) and not isinstance(whole.method, Autoencoder)
    start, other = whole.method.encoder.state_dict(), without.method.encoder.state_dict()
    assert start.keys() == other.keys()
    assert all(torch.equal(start[name], other[name]) for name in start)
    assert whole.method.augmentation == without.method.augmentation
    assert not without.method.uses_labels and without.method.reconstruction_loss.kind == "l2"
    [metrics] = without.epochs()
    assert metrics.keys() == ALWAYS | MEASURED | {"valid/mae", "objective"}
    assert "method.decoder.from_latent.0.weight" in without.weights


def test_a_pipeline_without_an_ablation_says_so() -> None:
    with pytest.raises(ValueError, match="there is no ablation of: classify MNIST"):
        Trial(make_config("mnist_supervised", ablation=True), images("mnist"))


# The same inside Ray's worker, which is stepped by hand ----------------------------------------


def test_a_worker_steps_epoch_by_epoch_and_writes_the_weights_at_the_end(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    config = make_config("mnist_autoencoder", epochs=3, rungs=(1,))
    results = finish(worker(config, few("mnist"), tmp_path))
    assert [r["epoch"] for r in results] == [1, 2, 3]
    assert ["weights" in r for r in results] == [False, False, True]
    assert all(r["metrics"]["memory/peak_gib"] > 0 for r in results)
    assert results[-1]["weights"] == str(tmp_path / config.trial_id / "weights.safetensors")
    mode = Path(results[-1]["weights"]).stat().st_mode
    assert mode & 0o044 == 0o044, "others may read them, as all else"
    left = sorted(p.name for p in (tmp_path / config.trial_id).iterdir())
    assert left == ["checkpoint.pt", "history.json", "weights.safetensors"]
    weights = load_file(str(results[-1]["weights"]))
    assert "method.encoder.to_latent.2.weight" in weights


def test_a_reused_worker_trains_as_a_fresh_one(tmp_path: Path) -> None:
    first = make_config(epochs=2, trial_id="one")
    second = make_config("mnist_supervised", {"lr": 1e-3}, epochs=2, trial_id="two", seed=9)
    reused = worker(first, few("mnist"), tmp_path)
    reused.step()  # and is stopped in the middle
    reused.begin(second.to_json())
    fresh = worker(second, few("mnist"), tmp_path)
    assert told(finish(reused)) == told(finish(fresh))


def test_a_reused_worker_keeps_nothing_of_ended_trials_and_skips_the_libraries(
    tmp_path: Path,
) -> None:
    gc.unfreeze()
    reused = worker(make_config(epochs=1, trial_id="0"), few("mnist"), tmp_path)
    left, skipped = [], []
    try:
        for number in range(1, 4):
            reused.step()
            assert reused._trial is not None
            method = reused._trial.method
            method.itself = [method]  # only the collector frees this
            left.append(weakref.ref(method))
            del method
            reused.begin(make_config(epochs=1, trial_id=str(number)).to_json())
            skipped.append(gc.get_freeze_count())
    finally:
        gc.unfreeze()
    assert [kept() for kept in left] == [None, None, None]
    assert skipped[0] > 10_000
    assert skipped[2] <= skipped[1] <= skipped[0], "what later trials make is not among it"


def spoiled(at_step: int, value: float) -> Callable[..., Pipeline]:
    """A pipeline whose loss becomes `value` at that step."""

    def change(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
        count = iter(range(10_000))
        return lambda *given: loss(*given) * (value if next(count) == at_step else 1)

    return with_loss(change)


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_a_diverging_trial_fails_with_the_step_and_the_value(
    value: float, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """120 images in batches of 40: step 4 is the second of the second epoch."""
    monkeypatch.setattr(trial_module, "pipeline_of", spoiled(4, value))
    config = make_config(epochs=3)
    with pytest.raises(NonFiniteLoss) as caught:
        list(Trial(config, images("mnist")).epochs())
    assert caught.value.step == 4
    results = finish(worker(config, few("mnist"), tmp_path))
    assert results[0]["epoch"] == 1
    assert results[1] == {"done": True, "error": f"loss is {said} at step 4"}
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_broken_trial_reports_its_traceback_and_the_worker_lives_on(tmp_path: Path) -> None:
    wrong = make_config("mnist_supervised", {"batch_size": 1000})
    made = worker(wrong, few("mnist"), tmp_path)
    end = made.step()
    assert end["done"]
    assert end["error"] == "ValueError: batch_size is 1000, the data has 120 images"
    assert "Traceback" in end["traceback"]
    made.begin(make_config(epochs=1).to_json())
    assert made.step()["epoch"] == 1


def test_the_number_of_threads_is_the_configurations(tmp_path: Path) -> None:
    worker(make_config(threads=2), few("mnist"), tmp_path).step()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)  # as conftest.py has it

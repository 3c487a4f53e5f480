"""From a description and its weights back to the network that was trained, of every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models import Classifier
from search.spaces import builders
from search.spaces.pipeline import LATENT_DIM, load_pipeline
from search.spaces.rebuild import rebuild, untrained
from search.trials.config import TrialConfig
from search.trials.trial import TrialImages, build_method, weights_on_cpu
from tests.search.ready import BUILT_IN, few, make_config
from trainers.evaluation import Evaluation, encode, evaluate
from trainers.loop import fit

WITH_ABLATION = [name for name in BUILT_IN if load_pipeline(name).ablation]


def describe(kind: str, config: TrialConfig) -> dict[str, Any]:
    """What `model.json` says, read back from JSON."""
    dataset = config.pipeline.split("_")[0]
    said = {"kind": kind, "dataset": dataset, "pipeline": config.pipeline, "params": config.params}
    return dict(json.loads(json.dumps(said)))


def trained(config: TrialConfig, images: TrialImages) -> tuple[Any, Evaluation]:
    """A method after a few steps, and the classifiers on its latents."""
    torch.manual_seed(config.seed)
    method: Any = build_method(config, load_pipeline(config.pipeline))
    method.to(memory_format=torch.channels_last)
    settings = builders.optimisation(config.params)
    for _ in fit(method, images.train, settings, epochs=config.epochs, seed=config.seed):
        pass
    return method, measure(method, images)


def measure(method: Any, images: TrialImages) -> Evaluation:
    return evaluate(method, images.train, images.valid, classes=10, seed=3)


def stored(weights: dict[str, Tensor], folder: Path) -> dict[str, Tensor]:
    save_file(weights, folder / "weights.safetensors")
    return load_file(folder / "weights.safetensors")


def assert_same(
    model: dict[str, Any], method: Any, measured: Evaluation, images: TrialImages, folder: Path
) -> None:
    """Latents, logits and reconstructions of the rebuilt network are those of `method`."""
    weights = stored(weights_on_cpu(method, measured), folder)
    torch.manual_seed(999)
    made = rebuild(model, weights)
    assert not made.training and all(not part.training for part in made.modules())
    pixels = images.valid.images / 255
    latents = encode(method.encoder, images.valid)
    with torch.no_grad():
        torch.testing.assert_close(made.encoder(pixels), latents, atol=1e-5, rtol=1e-5)
        logits = measured.classifier.eval()(latents)
        torch.testing.assert_close(made(pixels), logits, atol=1e-4, rtol=1e-4)
        assert (made.linear is None) == (measured.linear is None)
        if made.linear is not None and measured.linear is not None:
            assert torch.equal(made.linear(latents), measured.linear(latents))
        assert (made.decoder is None) == (method.decoder is None)
        if method.decoder is not None:
            assert made.decoder is not None
            restored = method.decoder.eval()(latents)
            torch.testing.assert_close(made.decoder(latents), restored, atol=1e-5, rtol=1e-5)


TRAINED = [pytest.param("trained", name, marks=pytest.mark.slow) for name in BUILT_IN]


@pytest.mark.parametrize(
    ("kind", "pipeline"), [*TRAINED, *(("ablation", name) for name in WITH_ABLATION)]
)
def test_a_trained_pipeline_and_its_ablation(kind: str, pipeline: str, tmp_path: Path) -> None:
    config = make_config(pipeline, epochs=1, ablation=kind == "ablation")
    images = TrialImages.load(few(pipeline.split("_")[0]), "cpu")
    method, measured = trained(config, images)
    assert kind == "trained" or method.decoder is not None
    assert_same(describe(kind, config), method, measured, images, tmp_path)


def test_a_random_encoder(tmp_path: Path) -> None:
    model = describe("random_encoder", make_config("mnist_autoencoder"))
    images = TrialImages.load(few("mnist"), "cpu")
    torch.manual_seed(5)
    method: Any = untrained(model)
    assert method.decoder is None and method.classifier is None
    assert_same(model, method, measure(method, images), images, tmp_path)


@pytest.mark.parametrize("dataset", ["mnist", "cifar"])
@pytest.mark.parametrize("kind", ["pca", "pixels"])
def test_what_is_not_trained(kind: str, dataset: str, tmp_path: Path) -> None:
    """Components that no image gave do as well as fitted ones."""
    model = {"kind": kind, "dataset": dataset, "pipeline": "", "params": {}}
    images = TrialImages.load(few(dataset), "cpu")
    method: Any = untrained(model)
    generator = torch.Generator().manual_seed(0)
    for buffer in method.state_dict().values():
        buffer.copy_(torch.rand(buffer.shape, generator=generator) / 100)
    measured = measure(method, images)
    assert_same(model, method, measured, images, tmp_path)
    inputs = weights_on_cpu(method, measured)["classifier.layers.1.weight"].shape[1]
    assert kind == "pca" or inputs == images.train.images[0].numel()


@pytest.mark.parametrize("hidden", [(512, 512), (1024,)])
def test_a_classifier_of_an_earlier_protocol(hidden: tuple[int, ...], tmp_path: Path) -> None:
    """Of other layers, and no linear one: models that were registered so are still good."""
    model = {"kind": "pixels", "dataset": "mnist", "pipeline": "", "params": {}}
    images = TrialImages.load(few("mnist"), "cpu")
    torch.manual_seed(0)
    earlier = Classifier(latent_dim=images.valid.images[0].numel(), classes=10, hidden=hidden)
    measured = Evaluation(metrics={}, classifier=earlier)
    assert_same(model, untrained(model), measured, images, tmp_path)


def kernel(method: Any) -> Tensor:
    """The first that is learned; a whitened stem has biases alone."""
    return next(p for p in method.encoder.parameters() if p.ndim == 4)


def test_the_seed_makes_the_weights_of_an_untrained_one() -> None:
    """Those from which the pipeline's own training starts."""
    config = make_config("cifar_supcon")
    model = describe("random_encoder", config)

    def first(seed: int) -> Tensor:
        torch.manual_seed(seed)
        method: Any = untrained(model)
        return kernel(method)

    assert torch.equal(first(5), first(5)) and not torch.equal(first(5), first(6))
    torch.manual_seed(5)
    start: Any = build_method(config, load_pipeline(config.pipeline))
    assert torch.equal(first(5), kernel(start))


def initial_weights(model: dict[str, Any]) -> dict[str, Tensor]:
    method: Any = untrained(model)
    classifier = Classifier(latent_dim=LATENT_DIM, classes=10)
    return weights_on_cpu(method, Evaluation(metrics={}, classifier=classifier))


@pytest.mark.parametrize(
    ("pipeline", "changes"),
    [
        ("mnist_supervised", {"width": 8}),
        ("mnist_autoencoder", {"upsample": "shuffle"}),
        # A further convolution keeps every shape of the shallower network.
        ("mnist_supervised", {"depth": 4}),
        ("cifar_contrastive", {"depth": 4}),
    ],
)
def test_weights_of_another_architecture_are_an_error(
    pipeline: str, changes: dict[str, int]
) -> None:
    model = describe("trained", make_config(pipeline))
    other = describe("trained", make_config(pipeline, changes))
    rebuild(other, initial_weights(other))
    for one, another in ((model, other), (other, model)):
        with pytest.raises(RuntimeError, match=r"Error\(s\) in loading state_dict"):
            rebuild(one, initial_weights(another))


def test_weights_of_another_data_set_or_kind_are_an_error() -> None:
    config = make_config("mnist_contrastive")
    trained = describe("trained", config)
    for model, said in (
        ({**trained, "dataset": "cifar"}, "size mismatch"),
        (describe("ablation", config), "decoder"),
        ({"kind": "pca", "dataset": "mnist"}, r"encoder\.mean"),
    ):
        with pytest.raises(RuntimeError, match=said):
            rebuild(model, initial_weights(trained))

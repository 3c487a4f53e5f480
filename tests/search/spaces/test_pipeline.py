"""The contract that every pipeline in the folder keeps, and how pipelines are found."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from models import ProjectionHead
from search.errors import UserError
from search.spaces import builders
from search.spaces.contract import violations
from search.spaces.pipeline import METRIC, Pipeline, load_pipeline, pipeline_names
from search.spaces.space import largest
from trainers.data import DATASETS, DatasetSpec
from trainers.methods import Autoencoder

SIX = [f"{d}_{m}" for d in ("mnist", "cifar") for m in ("autoencoder", "supervised", "contrastive")]
VARIANTS = ["mnist_supcon", "cifar_supcon", "mnist_mlp_autoencoder"]
VARIANTS += [f"cifar_{kind}_autoencoder" for kind in ("masked", "texture", "aligned")]
WITH_SOFTMAX = ("contrastive", "supcon", "supervised")
NAMES = pipeline_names()


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pipeline(name: str) -> Pipeline:
    return load_pipeline(name)


def built(pipeline: Pipeline, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    method = pipeline.method(pipeline.defaults)
    assert isinstance(method, nn.Module)
    return method


def test_the_six_and_the_variants_are_there() -> None:
    assert {*SIX, *VARIANTS, "mnist_vae"} <= set(NAMES)


def test_the_defaults_lie_inside_the_space(pipeline: Pipeline) -> None:
    assert pipeline.defaults.keys() == pipeline.space.keys()
    for key, distribution in pipeline.space.items():
        value = pipeline.defaults[key]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert distribution._contains(distribution.to_internal_repr(value)), key
        kinds = {"IntDistribution": int, "FloatDistribution": float}
        assert type(value) is kinds.get(type(distribution).__name__, type(value)), key


def test_the_name_says_the_data_set_and_the_labels(name: str, pipeline: Pipeline) -> None:
    assert name.split("_")[0] == (pipeline.dataset or "image")
    assert pipeline.dataset in {*DATASETS, ""}
    if name.endswith(("autoencoder", "_contrastive")):
        assert not pipeline.uses_labels
    if name.endswith(("_supervised", "_supcon")):
        assert pipeline.uses_labels
    assert built(pipeline).uses_labels == pipeline.uses_labels


def test_the_space_has_what_every_pipeline_searches(name: str, pipeline: Pipeline) -> None:
    assert {"width", "lr", "augment_strength", "depth", "batch_size"} <= pipeline.space.keys()
    assert pipeline.space["lr"].log  # type: ignore[attr-defined]
    assert "latent_dim" not in pipeline.space or name not in SIX
    has_softmax = name.endswith(WITH_SOFTMAX)
    assert ("temperature" in pipeline.space) == has_softmax
    assert hasattr(built(pipeline), "temperature") == has_softmax
    strength = pipeline.space["augment_strength"]
    assert 0 <= strength.low < strength.high <= 1  # type: ignore[attr-defined]


def test_the_metric_is_the_protocols(name: str, pipeline: Pipeline) -> None:
    assert pipeline.metric.startswith("valid/")
    if name in {*SIX, *VARIANTS}:
        assert pipeline.metric == METRIC == "valid/accuracy"


def test_it_is_summed_up_and_reasoned(pipeline: Pipeline) -> None:
    assert pipeline.summary and "\n" not in pipeline.summary
    assert len(pipeline.reasoning.split()) > 30, "the report prints it"


def test_the_contract_of_a_users_pipeline_is_kept(pipeline: Pipeline) -> None:
    assert {clause: why for clause, why in violations(pipeline) if why} == {}


@pytest.mark.parametrize("name", [n for n in NAMES if n.endswith(("contrastive", "supcon"))])
def test_the_loss_stands_on_a_head_or_on_the_latents(name: str) -> None:
    pipeline = load_pipeline(name)
    older = {n: value for n, value in pipeline.defaults.items() if n != "projection"}
    for params, kind in (
        ({**older, "projection": "head"}, ProjectionHead),
        ({**older, "projection": "none"}, nn.Identity),
        (older, ProjectionHead),  # a trial from before there was a choice
    ):
        method = pipeline.method(params)
        assert type(method.projection) is kind  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in SIX if name.endswith("_autoencoder")])
def test_an_autoencoder_of_the_six_weighs_pixels_alone(name: str) -> None:
    """No goal but the picture: neither edges nor hidden squares nor a second view."""
    pipeline = load_pipeline(name)
    assert pipeline.reconstructs
    method = pipeline.method(pipeline.defaults)
    assert type(method) is Autoencoder
    assert method.reconstruction_loss.texture_weight == 0
    brightness = pipeline.space.get("brightness_weight")
    assert brightness is None or brightness.low >= 0.3  # type: ignore[attr-defined]


def test_sgd_gets_its_own_units() -> None:
    params = {"lr": 1e-3, "weight_decay": 0.1, "batch_size": 128, "warmup": 0.1}
    adamw = builders.optimisation(params)
    sgd = builders.optimisation({**params, "optimizer": "sgd"})
    assert (adamw.optimizer, sgd.optimizer) == ("adamw", "sgd")
    assert sgd.lr > adamw.lr
    assert sgd.lr * sgd.weight_decay == pytest.approx(adamw.lr * adamw.weight_decay)


@pytest.mark.parametrize(
    ("channels", "size", "flips"), [(1, 12, False), (1, 28, True), (3, 48, True)]
)
@pytest.mark.parametrize("method", ["autoencoder", "supervised", "contrastive"])
def test_pipelines_for_any_images_fit_them(
    method: str, channels: int, size: int, flips: bool
) -> None:
    spec = DatasetSpec(
        name="own", title="own", channels=channels, size=size, classes=("a", "b"), flips=flips
    )
    pipeline = load_pipeline(f"image_{method}").on(spec)
    assert pipeline.space.keys() == pipeline.defaults.keys()
    assert ("views" in pipeline.space) == (method == "supervised" and not spec.glyphs)
    assert ("brightness_weight" in pipeline.space) == (method == "autoencoder" and channels == 3)
    largest_params = dict(largest(pipeline.space, pipeline.defaults))
    for params in (pipeline.defaults, largest_params):
        made = pipeline.method(params)
        images = torch.rand(4, channels, size, size)
        loss = made.loss(images, torch.tensor([0, 1, 0, 1]), torch.Generator().manual_seed(0))
        assert torch.isfinite(loss)
        latents = made.encoder(images)
        assert latents.shape == (4, 128)
        if made.decoder is not None:
            assert made.decoder(latents).shape == images.shape


def test_a_pipeline_for_one_data_set_refuses_other_images() -> None:
    colour = DATASETS["cifar"]
    assert load_pipeline("cifar_supervised").on(colour).spec == colour
    with pytest.raises(UserError, match="grey images of 28 x 28, these are colour images of 32"):
        load_pipeline("mnist_supervised").on(colour)

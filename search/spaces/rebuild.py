"""Rebuild a network from a model's description and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from models import Classifier, LatentModel, LinearHead
from search.spaces.pipeline import LATENT_DIM, pipeline_of
from trainers.baselines import Frozen, PixelEncoder, empty_pca
from trainers.data import DATASETS, DatasetSpec


def untrained(model: Mapping[str, Any]) -> nn.Module:
    """The method that `model.json` describes, with fresh weights from torch's global seed.

    Args:
        model: `kind`, `dataset` or `images`, and for those with a network `pipeline`, `source`
            where it is a user's own, and `params`.
    """
    spec = described(model)
    kind = model["kind"]
    if kind == "pixels":
        return Frozen(PixelEncoder())
    if kind == "pca":
        latent_dim = int(model.get("params", {}).get("latent_dim", LATENT_DIM))
        return empty_pca(channels=spec.channels, size=spec.size, latent_dim=latent_dim)
    pipeline = pipeline_of(model)
    build = pipeline.builder(ablation=kind == "ablation")
    method = build(model["params"], spec)
    assert isinstance(method, nn.Module)
    return Frozen(method.encoder) if kind == "random_encoder" else method  # type: ignore[arg-type]


def described(model: Mapping[str, Any]) -> DatasetSpec:
    """The images that a model is made for: a row of the table, or as the user's own were noted."""
    if images := model.get("images"):
        return DatasetSpec(**{**images, "classes": tuple(images["classes"])})
    return DATASETS[model["dataset"]]


def rebuild(model: Mapping[str, Any], weights: Mapping[str, Tensor]) -> LatentModel:
    """The trained network, on the CPU and in eval mode.

    Args:
        model: the content of `model.json`.
        weights: the content of `weights.safetensors`.

    Raises:
        RuntimeError: model and weights do not belong together.
    """
    method: Any = untrained(model)
    spec = described(model)
    # The weights' shapes give the classifiers' layers: version 1 of the protocol had others.
    classes = len(spec.classes)
    shapes = {name: weight.shape for name, weight in weights.items() if weight.ndim == 2}
    into = [shape[1] for name, shape in shapes.items() if name.startswith("classifier.layers.")]
    classifier = linear = None
    if into:
        classifier = Classifier(latent_dim=into[0], classes=classes, hidden=into[1:])
    if "linear.bias" in weights:
        linear = LinearHead(latent_dim=into[0], classes=classes)
    made = LatentModel(
        encoder=method.encoder, decoder=method.decoder, classifier=classifier, linear=linear
    )
    renamed = {name.removeprefix("method."): value for name, value in weights.items()}
    # The projection head served the loss only. Any other superfluous weight is an error.
    kept = {name: value for name, value in renamed.items() if not name.startswith("projection.")}
    made.load_state_dict(kept)
    return made.eval()

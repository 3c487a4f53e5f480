"""From flat parameters to objects: the only place where a parameter's name meets a keyword."""

from __future__ import annotations

from typing import Any

from models import Classifier, ConvDecoder, ConvEncoder, ProjectionHead
from search.pipeline import LATENT_DIM, Params
from trainers.augmentation import augmentation_for
from trainers.data import DatasetSpec
from trainers.methods import Autoencoder, Contrastive, Supervised, SupervisedContrastive
from trainers.optimisation import Optimisation

SGD_RATE = 50  # SGD with momentum wants rates about 50 times those of AdamW


def optimisation(params: Params) -> Optimisation:
    """The optimizer's settings.

    `lr` is searched in AdamW's units; with `optimizer=sgd` the rate is 50 times as large and the
    decay 50 times as small, so that one range serves both and the shrinkage stays the same.
    """
    sgd = params.get("optimizer") == "sgd"
    return Optimisation(
        optimizer="sgd" if sgd else "adamw",
        lr=params["lr"] * (SGD_RATE if sgd else 1),
        weight_decay=params["weight_decay"] / (SGD_RATE if sgd else 1),
        batch_size=params["batch_size"],
        warmup=params["warmup"],
    )


def autoencoder(params: Params, spec: DatasetSpec) -> Autoencoder:
    """Strided encoder, mirrored decoder, pixel loss."""
    return Autoencoder(
        encoder=_encoder(params, spec),
        decoder=ConvDecoder(
            channels=spec.channels,
            size=spec.size,
            width=params["width"],
            depth=params["depth"],
            latent_dim=_latent_dim(params),
            upsample=params["upsample"],
        ),
        augmentation=_augmentation(params, spec),
        pixel_loss=params["pixel_loss"],
    )


def supervised(params: Params, spec: DatasetSpec) -> Supervised:
    """Encoder and classifier, jointly."""
    return Supervised(
        encoder=_encoder(params, spec),
        classifier=Classifier(latent_dim=_latent_dim(params), classes=len(spec.classes)),
        augmentation=_augmentation(params, spec),
        temperature=params["temperature"],
        label_smoothing=params["label_smoothing"],
    )


def contrastive(params: Params, spec: DatasetSpec) -> Contrastive:
    """Encoder and projection head, no labels."""
    return Contrastive(**_two_views(params, spec))


def supervised_contrastive(params: Params, spec: DatasetSpec) -> SupervisedContrastive:
    """Encoder and projection head, labels choose the positives."""
    return SupervisedContrastive(**_two_views(params, spec))


def _two_views(params: Params, spec: DatasetSpec) -> dict[str, Any]:
    return {
        "encoder": _encoder(params, spec),
        "projection": ProjectionHead(latent_dim=_latent_dim(params)),
        "augmentation": _augmentation(params, spec),
        "temperature": params["temperature"],
    }


def _encoder(params: Params, spec: DatasetSpec) -> ConvEncoder:
    return ConvEncoder(
        channels=spec.channels,
        size=spec.size,
        width=params["width"],
        depth=params["depth"],
        latent_dim=_latent_dim(params),
        block=params.get("block", "strided"),
        dropout=params.get("dropout", 0.0),
    )


def _latent_dim(params: Params) -> int:
    """128 everywhere but in sweeps over it: no pipeline of the six has it in its space."""
    return int(params.get("latent_dim", LATENT_DIM))


def _augmentation(params: Params, spec: DatasetSpec):  # type: ignore[no-untyped-def]
    return augmentation_for(digits=spec.digits, strength=params["augment_strength"])

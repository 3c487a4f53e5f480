"""From flat parameters to objects: the only place where a parameter's name meets a keyword."""

from __future__ import annotations

from typing import Any

from torch import nn

from models import (
    Classifier,
    ConvDecoder,
    ConvEncoder,
    MLPDecoder,
    MLPEncoder,
    ProjectionHead,
    ShuffledPixels,
    VariationalEncoder,
)
from search.spaces.pipeline import LATENT_DIM, Params
from trainers.augmentation import augmentation_for
from trainers.data import DatasetSpec
from trainers.methods import (
    AlignedAutoencoder,
    Autoencoder,
    Contrastive,
    MaskedAutoencoder,
    Supervised,
    SupervisedContrastive,
    VariationalAutoencoder,
)
from trainers.optimisation import Optimisation
from trainers.reconstruction import ReconstructionLoss

VARIATIONAL_FEATURES = 256  # the layer from which mean and variance are computed
SGD_RATE = 50  # SGD with momentum wants rates about 50 times those of AdamW


def optimisation(params: Params) -> Optimisation:
    """The optimizer's settings.

    `lr` is searched in AdamW's units; with `optimizer=sgd` the rate is 50 times as large and the
    decay 50 times as small, so that one range serves both and the shrinkage stays the same.
    """
    optimizer = params.get("optimizer", "adamw")
    sgd = optimizer == "sgd"
    return Optimisation(
        optimizer=optimizer,
        lr=params["lr"] * (SGD_RATE if sgd else 1),
        weight_decay=params["weight_decay"] / (SGD_RATE if sgd else 1),
        batch_size=params["batch_size"],
        warmup=params["warmup"],
        first_moment=params.get("first_moment", "exponential"),
        second_moment=params.get("second_moment", "exponential"),
    )


def autoencoder(params: Params, spec: DatasetSpec) -> Autoencoder:
    """Strided encoder, mirrored decoder, pixel loss."""
    return Autoencoder(**_autoencoder(params, spec))


def masked_autoencoder(params: Params, spec: DatasetSpec) -> MaskedAutoencoder:
    """The autoencoder with squares hidden from its encoder."""
    return MaskedAutoencoder(**_autoencoder(params, spec), mask_ratio=params["mask_ratio"])


def aligned_autoencoder(params: Params, spec: DatasetSpec) -> AlignedAutoencoder:
    """The autoencoder's networks on two changed views, whose latents shall agree."""
    return AlignedAutoencoder(
        **_autoencoder(params, spec),
        mask_ratio=params["mask_ratio"],
        agreement=params["agreement"],
        agreement_weight=params["agreement_weight"],
    )


def reconstruction_only(params: Params, spec: DatasetSpec) -> Autoencoder:
    """The ablation of a contrastive pipeline: its encoder and its views, reconstructed (L2)."""
    return Autoencoder(**_autoencoder({**params, "pixel_loss": "l2"}, spec))


def mlp_autoencoder(params: Params, spec: DatasetSpec) -> Autoencoder:
    """Fully connected encoder and decoder, pixel loss."""
    numbers = _numbers(params, spec)
    return Autoencoder(
        encoder=MLPEncoder(**numbers, dropout=params["dropout"]),
        decoder=MLPDecoder(**numbers),
        augmentation=augmentation(params, spec),
        reconstruction_loss=_reconstruction_loss(params),
    )


def variational(params: Params, spec: DatasetSpec) -> VariationalAutoencoder:
    """The convolutional autoencoder with a distribution in the middle."""
    features = encoder({**params, "latent_dim": VARIATIONAL_FEATURES}, spec)
    return VariationalAutoencoder(
        encoder=VariationalEncoder(
            features, feature_dim=VARIATIONAL_FEATURES, latent_dim=_latent_dim(params)
        ),
        decoder=decoder(params, spec),
        augmentation=augmentation(params, spec),
        kl_weight=params["kl_weight"],
        kl_warmup=params["kl_warmup"],
    )


def supervised(params: Params, spec: DatasetSpec) -> Supervised:
    """Encoder and classifier, jointly."""
    return Supervised(
        encoder=encoder(params, spec),
        classifier=Classifier(latent_dim=_latent_dim(params), classes=len(spec.classes)),
        augmentation=augmentation(params, spec),
        temperature=params["temperature"],
        label_smoothing=params["label_smoothing"],
    )


def contrastive(params: Params, spec: DatasetSpec) -> Contrastive:
    """Encoder, with or without a projection head, no labels."""
    return Contrastive(**_two_views(params, spec))


def supervised_contrastive(params: Params, spec: DatasetSpec) -> SupervisedContrastive:
    """Encoder, with or without a projection head; labels choose the positives."""
    return SupervisedContrastive(**_two_views(params, spec))


def _autoencoder(params: Params, spec: DatasetSpec) -> dict[str, Any]:
    return {
        "encoder": encoder(params, spec),
        "decoder": decoder(params, spec),
        "augmentation": augmentation(params, spec),
        "reconstruction_loss": _reconstruction_loss(params),
    }


def _two_views(params: Params, spec: DatasetSpec) -> dict[str, Any]:
    return {
        "encoder": encoder(params, spec),
        "projection": _projection(params),
        "augmentation": augmentation(params, spec),
        "temperature": params["temperature"],
    }


def _projection(params: Params) -> nn.Module:
    """The projection head before the loss; with `none` the loss reads the latents themselves."""
    if params.get("projection", "head") == "none":
        return nn.Identity()
    return ProjectionHead(latent_dim=_latent_dim(params))


def encoder(params: Params, spec: DatasetSpec) -> nn.Module:
    """The convolutional encoder; `encoder=mlp` and `shuffle_pixels` serve comparisons."""
    numbers = {**_numbers(params, spec), "dropout": params.get("dropout", 0.0)}
    built: nn.Module
    if params.get("encoder") == "mlp":
        built = MLPEncoder(**numbers, norm="batch")
    else:
        built = ConvEncoder(
            **numbers,
            block=params.get("block", "strided"),
            stem=params.get("stem", "none"),
            readout=params.get("readout", "flat"),
        )
    if params.get("shuffle_pixels"):
        return nn.Sequential(ShuffledPixels(size=spec.size), built)
    return built


def decoder(params: Params, spec: DatasetSpec) -> ConvDecoder:
    """The convolutional decoder that mirrors the encoder."""
    return ConvDecoder(**_numbers(params, spec), upsample=params.get("upsample", "transposed"))


def _reconstruction_loss(params: Params) -> ReconstructionLoss:
    return ReconstructionLoss(
        kind=params["pixel_loss"],
        brightness_weight=params.get("brightness_weight", 1.0),
        texture_weight=params.get("texture_weight", 0.0),
    )


def _numbers(params: Params, spec: DatasetSpec) -> dict[str, Any]:
    """The arguments that every encoder and decoder takes."""
    return {
        "channels": spec.channels,
        "size": spec.size,
        "width": params["width"],
        "depth": params["depth"],
        "latent_dim": _latent_dim(params),
    }


def _latent_dim(params: Params) -> int:
    """128 for the six pipelines, except in sweeps over it; a variant may search it."""
    return int(params.get("latent_dim", LATENT_DIM))


def augmentation(params: Params, spec: DatasetSpec):  # type: ignore[no-untyped-def]
    """The views that suit the images, of the strength `augment_strength`."""
    return augmentation_for(
        digits=spec.glyphs,
        flips=spec.flips,
        strength=params["augment_strength"],
        views=params.get("views", "crops"),
    )

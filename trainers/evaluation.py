"""The worth of a trained method: the metrics that a trial reports, all on frozen weights."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models import LinearHead, VariationalEncoder
from trainers.augmentation import Augmentation, augmentation_for
from trainers.classifiers import (
    fit_classifier,
    fit_linear_classifier,
    nearest_classes,
    unscaled,
)
from trainers.data import DatasetSpec
from trainers.loop import DeviceImages
from trainers.losses import bernoulli_nll, kl_to_standard_normal
from trainers.measures.structure import rankme, view_information
from trainers.methods import Method
from trainers.precision import Precision, autocast, exact_float32

BATCH_SIZE = 1000
JUDGING = 0.5  # the strength of the views by which latents are judged without labels
VIEWED, VIEWS = 500, 10  # how many images, and views of each
SAMPLE = 5_000  # training images whose nearest neighbours are looked for at a trial's end


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Metrics by name, and the classifiers on the latents that they were measured with.

    Attributes:
        classifier: None where the images have no labels.
        linear: None where only the accuracy was measured, too.
    """

    metrics: dict[str, float]
    classifier: nn.Module | None = None
    linear: LinearHead | None = None


@torch.no_grad()
def encode(encoder: nn.Module, data: DeviceImages, *, precision: Precision = "float32") -> Tensor:
    """The latents of all images: (N, C, H, W) uint8 -> (N, D) float32, encoder in eval mode."""
    encoder.eval()
    with autocast(precision, data.images.device):
        return torch.cat([encoder(images).float() for images in _batches(data)])


def judging_views(spec: DatasetSpec) -> Augmentation | None:
    """The views by which latents of images without labels are judged; None where there are some.

    Their strength is the same whatever a method was trained with.
    """
    if spec.classes:
        return None
    return augmentation_for(digits=spec.glyphs, flips=spec.flips, strength=JUDGING)


@torch.no_grad()
def information(
    encoder: nn.Module,
    data: DeviceImages,
    views: Augmentation,
    *,
    precision: Precision = "float32",
) -> float:
    """What a view's latent tells of its image (`view_information`), of the first images of `data`.

    The views are the same in every call.
    """
    encoder.eval()
    generator = torch.Generator(data.images.device).manual_seed(0)
    images = torch.cat(list(_batches(data.first(min(VIEWED, len(data))))))
    with autocast(precision, images.device):
        latents = [encoder(views(images, generator)).float() for _ in range(VIEWS)]
    return view_information(torch.stack(latents))


@torch.no_grad()
def reconstruction_mae(
    encoder: nn.Module, decoder: nn.Module, data: DeviceImages, *, precision: Precision = "float32"
) -> float:
    """Mean absolute error of the reconstructions, pixels in [0, 1]."""
    encoder.eval()
    decoder.eval()
    total = torch.zeros((), dtype=torch.float64, device=data.images.device)
    for images in _batches(data):
        with autocast(precision, images.device):
            output = decoder(encoder(images))
        total += (output.float() - images).abs().sum(dtype=torch.float64)
    return total.item() / data.images.numel()


@torch.no_grad()
def decoded_mae(decoder: nn.Module, latents: Tensor, data: DeviceImages) -> float:
    """The same from (N, D) latents of the images, where they are at hand; in float32."""
    decoder.eval()
    total = torch.zeros((), dtype=torch.float64, device=data.images.device)
    for part, images in zip(latents.split(BATCH_SIZE), _batches(data), strict=True):
        total += (decoder(part).float() - images).abs().sum(dtype=torch.float64)
    return total.item() / data.images.numel()


@torch.no_grad()
def evidence_lower_bound(
    encoder: VariationalEncoder, decoder: nn.Module, data: DeviceImages, *, seed: int
) -> tuple[float, float]:
    """(ELBO, KL term) in nats an image, means over all of them: one sample of z for each.

    Larger is better. It would be a bound on log p(x) if pixels were 0 or 1; for grey ones, which
    the loss takes for probabilities, no normalised density stands behind it (Loaiza-Ganem and
    Cunningham, 2019, "The continuous Bernoulli"): it compares models, and nothing else.
    """
    encoder.eval()
    decoder.eval()
    device = data.images.device
    generator = torch.Generator(device).manual_seed(seed)
    likelihood = torch.zeros((), dtype=torch.float64, device=device)
    divergence = torch.zeros((), dtype=torch.float64, device=device)
    for images in _batches(data):
        mean, log_variance = encoder.distribution(images)
        noise = torch.randn(mean.shape, generator=generator, device=device)
        output = decoder(mean + (log_variance / 2).exp() * noise)
        likelihood -= bernoulli_nll(output, images).sum(dtype=torch.float64)
        divergence += kl_to_standard_normal(mean, log_variance).sum(dtype=torch.float64)
    count = len(data)
    return (likelihood - divergence).item() / count, divergence.item() / count


@torch.no_grad()
def accuracy(classifier: nn.Module, latents: Tensor, labels: Tensor) -> float:
    """Share of (N, D) latents that `classifier` gives the right one of (N,) labels, in [0, 1]."""
    return _share(classifier.eval()(latents).argmax(1), labels)


@exact_float32()
def evaluate(
    method: Method,
    train: DeviceImages,
    valid: DeviceImages,
    *,
    classes: int,
    views: Augmentation | None = None,
    seed: int,
    precision: Precision = "float32",
    accuracy_only: bool = False,
    final: bool = False,
) -> Evaluation:
    """The metrics of one set of weights, which it leaves untouched (`docs/protocol.md`).

    A method with a classifier of its own is measured with it; for the others the protocol's
    classifier is trained first, on the latents of `train`.

    Args:
        classes: how many there are; 0 for images without labels, on which no accuracy is measured
            but the rank of the latents, what they tell of an image's views, and the error of a
            decoder.
        views: of images without labels; None: that is not measured.
        accuracy_only: measure on the validation images what a scheduler compares trials by: the
            classifier's accuracy, the latents' rank, and a variational encoder's bound.
        final: look for the nearest neighbours of all training images, not of a few thousand, and
            measure a decoder on the training images as well.

    Raises:
        ArithmeticError: latents are not finite.
    """
    metrics: dict[str, float] = {}
    valid_latents = encode(method.encoder, valid, precision=precision)
    if not torch.isfinite(valid_latents).all():
        raise ArithmeticError("the encoder's latents are not finite")
    metrics["valid/rankme"] = rankme(valid_latents)
    if isinstance(method.encoder, VariationalEncoder) and method.decoder is not None:
        metrics["valid/elbo"], metrics["valid/kl"] = evidence_lower_bound(
            method.encoder, method.decoder, valid, seed=seed
        )
    if method.decoder is not None and not (accuracy_only and classes):
        errors = {"valid": valid, "train": train} if final else {"valid": valid}
        for part, images in errors.items():
            metrics[f"{part}/mae"] = reconstruction_mae(
                method.encoder, method.decoder, images, precision=precision
            )
    if not classes:
        if views:
            metrics["valid/view_information"] = information(
                method.encoder, valid, views, precision=precision
            )
        if "valid/mae" in metrics:
            metrics["valid/neg_mae"] = -metrics["valid/mae"]
        return Evaluation(metrics=metrics)
    classifier = method.classifier
    if classifier is None or not accuracy_only:
        train_latents = encode(method.encoder, train, precision=precision)
    began = time.perf_counter()
    if classifier is None:
        classifier = fit_classifier(
            train_latents, train.labels, classes=classes, seed=seed, precision=precision
        )
    metrics["valid/accuracy"] = accuracy(classifier, valid_latents, valid.labels)
    metrics["time/classifier_seconds"] = time.perf_counter() - began
    if accuracy_only:
        return Evaluation(metrics=metrics, classifier=classifier)

    metrics["train/accuracy"] = accuracy(classifier, train_latents, train.labels)
    began = time.perf_counter()
    linear = fit_linear_classifier(
        train_latents, train.labels, valid_latents, valid.labels, classes=classes
    )
    metrics["train/linear_accuracy"] = accuracy(linear, train_latents, train.labels)
    metrics["valid/linear_accuracy"] = accuracy(linear, valid_latents, valid.labels)
    metrics["time/linear_seconds"] = time.perf_counter() - began

    began = time.perf_counter()
    bank = unscaled(method.encoder, train_latents)
    queries = bank if final else bank[:SAMPLE]  # the images are in a shuffled order
    nearest = nearest_classes(queries, bank, train.labels, classes=classes, own=True)
    metrics["train/knn_accuracy"] = _share(nearest, train.labels[: len(nearest)])
    queries = unscaled(method.encoder, valid_latents)
    nearest = nearest_classes(queries, bank, train.labels, classes=classes)
    metrics["valid/knn_accuracy"] = _share(nearest, valid.labels)
    metrics["time/knn_seconds"] = time.perf_counter() - began
    return Evaluation(metrics=metrics, classifier=classifier, linear=linear)


def _share(predicted: Tensor, labels: Tensor) -> float:
    return (predicted == labels).double().mean().item()


def _batches(data: DeviceImages) -> Iterator[Tensor]:
    """(B, C, H, W) float32 in [0, 1], in order."""
    for start in range(0, len(data), BATCH_SIZE):
        yield data.images[start : start + BATCH_SIZE].float().div_(255)

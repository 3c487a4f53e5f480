"""What a trained method is worth: the metrics that a trial reports, all on frozen weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainers.classifier import fit_classifier, fit_linear_probe
from trainers.loop import DeviceImages
from trainers.methods import Method
from trainers.precision import Precision, autocast

BATCH_SIZE = 1000


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Metrics by name, and the classifier on the latents that they were measured with."""

    metrics: dict[str, float]
    classifier: nn.Module


@torch.no_grad()
def encode(encoder: nn.Module, data: DeviceImages, *, precision: Precision = "float32") -> Tensor:
    """The latents of all images: (N, C, H, W) uint8 -> (N, D) float32, encoder in eval mode."""
    encoder.eval()
    with autocast(precision, data.images.device):
        return torch.cat([encoder(images).float() for images in _batches(data)])


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


def accuracy(classifier: nn.Module, latents: Tensor, labels: Tensor) -> float:
    """Share of (N, D) latents that `classifier` gives the right one of (N,) labels, in [0, 1]."""
    with torch.no_grad():
        hits = classifier.eval()(latents).argmax(1) == labels
    return hits.double().mean().item()


def evaluate(
    method: Method,
    train: DeviceImages,
    valid: DeviceImages,
    *,
    classes: int,
    seed: int,
    precision: Precision = "float32",
    probe: bool = True,
) -> Evaluation:
    """The metrics of one set of weights, which it leaves untouched.

    A method with a classifier of its own is measured with it; for the others the protocol's
    classifier is trained on the latents of `train` first. With `probe` the linear probe is
    fitted too, which needs those latents in any case.
    """
    metrics: dict[str, float] = {}
    valid_latents = encode(method.encoder, valid, precision=precision)
    if not torch.isfinite(valid_latents).all():
        raise ArithmeticError("the encoder's latents are not finite")
    train_latents = None
    if probe or method.classifier is None:
        train_latents = encode(method.encoder, train, precision=precision)
    if method.classifier is None:
        assert train_latents is not None
        classifier: nn.Module = fit_classifier(
            train_latents, train.labels, classes=classes, seed=seed, precision=precision
        )
    else:
        classifier = method.classifier
    metrics["valid/accuracy"] = accuracy(classifier, valid_latents, valid.labels)
    if train_latents is not None:
        metrics["train/accuracy"] = accuracy(classifier, train_latents, train.labels)
    if probe:
        assert train_latents is not None
        linear = fit_linear_probe(train_latents, train.labels, classes=classes)
        metrics["valid/linear_accuracy"] = accuracy(linear, valid_latents, valid.labels)
    if method.decoder is not None:
        metrics["valid/mae"] = reconstruction_mae(
            method.encoder, method.decoder, valid, precision=precision
        )
    return Evaluation(metrics=metrics, classifier=classifier)


def _batches(data: DeviceImages) -> Iterator[Tensor]:
    """(B, C, H, W) float32 in [0, 1], in order."""
    for start in range(0, len(data), BATCH_SIZE):
        yield data.images[start : start + BATCH_SIZE].float().div_(255)

"""The worth of a trained method: the metrics that a trial reports, all on frozen weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models import VariationalEncoder
from models.heads import CLASSIFIER_HIDDEN
from trainers.augmentation import Augmentation, Digits
from trainers.classifier import (
    LABEL_SMOOTHING,
    LEARNING_RATE,
    WEIGHT_DECAY,
    fit_classifier,
    fit_linear_probe,
)
from trainers.loop import DeviceImages
from trainers.losses import bernoulli_nll, kl_to_standard_normal
from trainers.methods import Method
from trainers.precision import Precision, autocast

BATCH_SIZE = 1000
SAMPLE = 20_000

# Part of the protocol, as the classifier is. It learns from these views of a digit besides the
# image itself: on the validation images of one MNIST autoencoder 98.4 % without, 99.0 % with three.
# Six further ones, two fits each: three views of strength 0.3 and 24 passes 98.94 %, seven views of
# 0.4 and 48 passes 99.07 %, eleven 99.11 %.
DIGIT_VIEWS, DIGIT_STRENGTH = 11, 0.4
# How often the classifier meets an image, in whichever variant. Pictures have but two variants, and
# more passes teach it by heart: on a contrastive encoder 74.0 % at 48, 74.4 at 24, 74.6 at 16, on a
# masked one 74.9 at 24, 75.3 at 16, 74.7 at 12. On digits, in twelve variants: 99.18 % at 24, 99.25
# at 36, 99.34 at 48, 99.36 at 72. One encoder and two fits each, as in `classifier`.
PICTURE_PASSES, DIGIT_PASSES = 16, 48


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Metrics by name, and the classifier on the latents that they were measured with."""

    metrics: dict[str, float]
    classifier: nn.Module


@torch.no_grad()
def encode(
    encoder: nn.Module,
    data: DeviceImages,
    *,
    precision: Precision = "float32",
    view: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """The latents of all images: (N, C, H, W) uint8 -> (N, D) float32, encoder in eval mode.

    With `view` those of what it makes of each batch.
    """
    encoder.eval()
    latents = []
    with autocast(precision, data.images.device):
        for images in _batches(data):
            latents.append(encoder(view(images) if view else images).float())
    return torch.cat(latents)


def encode_variants(
    encoder: nn.Module,
    data: DeviceImages,
    *,
    digits: bool,
    seed: int,
    precision: Precision = "float32",
) -> Tensor:
    """The latents that the classifier learns from: (V, N, D), of N images in V variants.

    Variant 0 is the image itself. A few ten thousand images are few for a classifier, and it
    overfits. A further variant is another image that the label is as true of: of a picture its
    mirror image (60.6 % instead of 58.7 % on one CIFAR-10 autoencoder; drawn crops brought no
    more), of a digit, which has no mirror image, some views. The encoder learns from none of them
    here, and none is used to classify.
    """
    generator = torch.Generator(data.images.device).manual_seed(seed)
    drawn: Augmentation = Digits(DIGIT_STRENGTH)

    def view(images: Tensor) -> Tensor:
        return drawn(images, generator) if digits else images.flip(3)

    own = encode(encoder, data, precision=precision)
    # Filled one by one: of raw pixels all variants are two gigabytes, and would be four in a cat.
    latents = own.new_empty(variants(digits=digits), *own.shape)
    latents[0] = own
    for variant in latents[1:]:
        variant.copy_(encode(encoder, data, precision=precision, view=view))
    return latents


def variants(*, digits: bool) -> int:
    """In how many variants the classifier meets an image, itself the first of them."""
    return 1 + DIGIT_VIEWS if digits else 2


def passes(*, digits: bool) -> int:
    """How often the protocol's classifier meets an image, in whichever variant."""
    return DIGIT_PASSES if digits else PICTURE_PASSES


def classifier_settings(*, digits: bool) -> str:
    """One line for the classifier and what it learns from: hidden units, training, variants.

    It stands beside every final number. Accuracies under different lines do not compare, and
    a change of the protocol's classifier has to change the line.
    """
    hidden = "-".join(map(str, CLASSIFIER_HIDDEN))
    drawn = f" of strength {DIGIT_STRENGTH:g}" if digits else ""
    return (
        f"hidden {hidden}, labels smoothed {LABEL_SMOOTHING:g}, "
        f"rate {LEARNING_RATE:g}, decay {WEIGHT_DECAY:g}, "
        f"{passes(digits=digits)} passes of {variants(digits=digits)} variants{drawn}"
    )


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
    digits: bool,
    seed: int,
    precision: Precision = "float32",
    rung: bool = False,
    probe: bool = True,
    final: bool = False,
) -> Evaluation:
    """The metrics of one set of weights, which it leaves untouched.

    A method with a classifier of its own is measured with it; for the others the protocol's
    classifier is trained first, on the latents of `train` and of variants of its images (see
    `encode_variants`; `digits` says what the images are). At a `rung` this, and a variational
    encoder's bound, is all: by one of them a scheduler compares trials. With `probe` the linear
    probe is fitted too, and the accuracy on training images measured.

    Encoding all training images only for that would cost a method with a classifier of its own
    a fifth of its training: it takes the first `SAMPLE` of them, which are in a shuffled order.
    With `final` it takes all, and a decoder is measured on the training images as well.
    """
    metrics: dict[str, float] = {}
    valid_latents = encode(method.encoder, valid, precision=precision)
    if not torch.isfinite(valid_latents).all():
        raise ArithmeticError("the encoder's latents are not finite")
    train_latents = None
    if method.classifier is not None and not final:
        train = train.first(SAMPLE)
    if method.classifier is None:
        variants = encode_variants(
            method.encoder, train, digits=digits, seed=seed, precision=precision
        )
        train_latents = variants[0]
        classifier: nn.Module = fit_classifier(
            variants.flatten(0, 1),
            train.labels.repeat(len(variants)),
            classes=classes,
            seed=seed,
            epochs=passes(digits=digits) // len(variants),
            precision=precision,
        )
    else:
        classifier = method.classifier
        if probe and not rung:
            train_latents = encode(method.encoder, train, precision=precision)
    metrics["valid/accuracy"] = accuracy(classifier, valid_latents, valid.labels)
    if isinstance(method.encoder, VariationalEncoder):
        assert method.decoder is not None
        metrics["valid/elbo"], metrics["valid/kl"] = evidence_lower_bound(
            method.encoder, method.decoder, valid, seed=seed
        )
    if rung:
        return Evaluation(metrics=metrics, classifier=classifier)
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
        if final:
            metrics["train/mae"] = reconstruction_mae(
                method.encoder, method.decoder, train, precision=precision
            )
    return Evaluation(metrics=metrics, classifier=classifier)


def _batches(data: DeviceImages) -> Iterator[Tensor]:
    """(B, C, H, W) float32 in [0, 1], in order."""
    for start in range(0, len(data), BATCH_SIZE):
        yield data.images[start : start + BATCH_SIZE].float().div_(255)

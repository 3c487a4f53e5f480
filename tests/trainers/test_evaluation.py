"""The metrics of frozen weights: which there are, what they are measured on, what they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from trainers import evaluation
from trainers.augmentation import Digits
from trainers.classifier import fit_linear_probe
from trainers.evaluation import (
    accuracy,
    decoded_mae,
    encode,
    encode_variants,
    evaluate,
    reconstruction_mae,
)
from trainers.loop import DeviceImages, fit
from trainers.methods import Autoencoder, Contrastive, Method, Supervised, VariationalAutoencoder
from trainers.optimisation import Optimisation

BuildMethod = Callable[..., Method]
MakeImages = Callable[..., DeviceImages]
Weights = Callable[[nn.Module], dict[str, Tensor]]

CLASSES = 4


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_names_and_range_of_the_metrics(
    method_kind: type, build_method: BuildMethod, make_images: MakeImages
) -> None:
    method, train, valid = build_method(method_kind), make_images(120), make_images(40, 1)
    expected = {"valid/accuracy", "train/accuracy", "valid/linear_accuracy"}
    if method.decoder is not None:
        expected.add("valid/mae")
    metrics = evaluate(method, train, valid, classes=CLASSES, digits=False, seed=0).metrics
    if method_kind is VariationalAutoencoder:
        bound = {metrics.pop("valid/elbo"), metrics.pop("valid/kl")}
        assert min(bound) < 0 < max(bound)
    assert set(metrics) == expected
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in metrics.values())

    expected.discard("valid/linear_accuracy")
    if method.classifier is not None:  # needs no latents of the train images
        expected.discard("train/accuracy")
    metrics = evaluate(
        method, train, valid, classes=CLASSES, digits=False, seed=0, probe=False
    ).metrics
    assert set(metrics) - {"valid/elbo", "valid/kl"} == expected


def test_only_the_autoencoder_has_a_decoder_to_measure(build_method: BuildMethod) -> None:
    assert build_method(Autoencoder).decoder is not None
    assert build_method(Contrastive).decoder is None and build_method(Supervised).decoder is None


def test_a_decoder_is_measured_on_training_images_for_final_numbers_only(
    method_kind: type, build_method: BuildMethod, make_images: MakeImages
) -> None:
    method, train, valid = build_method(method_kind), make_images(60), make_images(40, 1)
    usual = evaluate(method, train, valid, classes=CLASSES, digits=False, seed=0).metrics
    final = evaluate(
        method, train, valid, classes=CLASSES, digits=False, seed=0, final=True
    ).metrics
    extra = {}
    if method.decoder is not None:
        extra["train/mae"] = reconstruction_mae(method.encoder, method.decoder, train)
        assert extra["train/mae"] != final["valid/mae"]
    assert final == {**usual, **extra}


def test_a_joint_classifier_is_measured_on_a_sample_and_finally_on_all(
    build_method: BuildMethod, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that always says class 2: of the first 6 of 61 images 1 is of it, of all of them 15."""
    method, train, valid = build_method(Supervised), make_images(61), make_images(40, 1)

    class AlwaysTwo(nn.Module):
        def forward(self, latents: Tensor) -> Tensor:
            return torch.eye(CLASSES)[2].repeat(len(latents), 1)

    method.classifier = AlwaysTwo()
    monkeypatch.setattr(evaluation, "SAMPLE", 6)
    sizes: list[int] = []
    original = evaluation.fit_linear_probe

    def spy(latents: Tensor, labels: Tensor, **values: Any) -> nn.Module:
        sizes.append(len(latents))
        assert len(labels) == len(latents)
        return original(latents, labels, **values)

    monkeypatch.setattr(evaluation, "fit_linear_probe", spy)
    measured = {
        final: evaluate(
            method, train, valid, classes=CLASSES, digits=False, seed=0, final=final
        ).metrics
        for final in (False, True)
    }
    assert measured[False]["train/accuracy"] == pytest.approx(1 / 6)
    assert measured[True]["train/accuracy"] == pytest.approx(15 / 61)
    assert sizes == [6, 61]
    assert measured[False]["valid/accuracy"] == measured[True]["valid/accuracy"] == 0.25


@pytest.mark.parametrize("kind", [Autoencoder, Contrastive])
def test_a_classifier_on_frozen_latents_is_trained_on_all_images(
    kind: type, build_method: BuildMethod, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, train, valid = build_method(kind), make_images(60), make_images(40, 1)
    whole = evaluate(
        method, train, valid, classes=CLASSES, digits=False, seed=0, final=True
    ).metrics
    monkeypatch.setattr(evaluation, "SAMPLE", 6)
    assert (
        evaluate(method, train, valid, classes=CLASSES, digits=False, seed=0, final=True).metrics
        == whole
    )
    usual = evaluate(method, train, valid, classes=CLASSES, digits=False, seed=0).metrics
    assert usual == {name: value for name, value in whole.items() if name != "train/mae"}


def test_weights_and_running_statistics_are_left_untouched(
    method_kind: type, build_method: BuildMethod, make_images: MakeImages, weights: Weights
) -> None:
    method, train, valid = build_method(method_kind, dropout=0.2), make_images(60), make_images(40)
    before, drawn = weights(method), torch.get_rng_state()
    images = train.images.clone(), valid.images.clone()
    first = evaluate(method, train, valid, classes=CLASSES, digits=False, seed=0)
    assert same(before, weights(method))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert torch.equal(train.images, images[0]) and torch.equal(valid.images, images[1])
    assert all(p.grad is None for p in method.parameters())  # type: ignore[attr-defined]
    assert (
        evaluate(method, train, valid, classes=CLASSES, digits=False, seed=0).metrics
        == first.metrics
    )


def test_evaluating_after_each_epoch_does_not_change_the_training(
    method_kind: type, build_method: BuildMethod, make_images: MakeImages, weights: Weights
) -> None:
    train, valid = make_images(48), make_images(20, 1)
    settings = Optimisation(batch_size=16)
    watched, alone = (build_method(method_kind, dropout=0.3) for _ in range(2))
    watched_losses = []
    for result in fit(watched, train, settings, epochs=2, seed=0):
        watched_losses.append(result.loss)
        evaluate(watched, train, valid, classes=CLASSES, digits=False, seed=result.epoch)
    losses = [result.loss for result in fit(alone, train, settings, epochs=2, seed=0)]
    assert watched_losses == losses
    assert same(weights(watched), weights(alone))


def test_a_jointly_trained_classifier_is_the_one_measured(
    build_method: BuildMethod, make_images: MakeImages
) -> None:
    """One that always says class 2 has the share of class 2 as its accuracy."""
    method, valid = build_method(Supervised), make_images(41)

    class AlwaysTwo(nn.Module):
        def forward(self, latents: Tensor) -> Tensor:
            return torch.eye(CLASSES)[2].repeat(len(latents), 1)

    method.classifier = AlwaysTwo()
    result = evaluate(method, make_images(60), valid, classes=CLASSES, digits=False, seed=0)
    assert result.classifier is method.classifier
    share = (valid.labels == 2).float().mean().item()
    assert result.metrics["valid/accuracy"] == pytest.approx(share)
    assert result.metrics["train/accuracy"] == pytest.approx(0.25)


def test_for_the_others_the_protocols_classifier_is_trained_on_train_latents(
    build_method: BuildMethod, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given (N, D) latents of the train images and their labels, never a pixel."""
    method, train, valid = build_method(Contrastive), make_images(60), make_images(30, 1)
    given: list[tuple[Tensor, Tensor]] = []
    settings: list[dict[str, Any]] = []
    original = evaluation.fit_classifier

    def spy(latents: Tensor, labels: Tensor, **values: Any) -> nn.Module:
        given.append((latents, labels))
        settings.append(values)
        return original(latents, labels, **values)

    monkeypatch.setattr(evaluation, "fit_classifier", spy)
    result = evaluate(method, train, valid, classes=CLASSES, digits=False, seed=5)
    ((latents, labels),) = given
    assert torch.equal(latents[:60], encode(method.encoder, train)) and latents.shape == (120, 8)
    assert torch.equal(labels, train.labels.repeat(2))
    assert settings[0]["classes"] == CLASSES and settings[0]["seed"] == 5
    expected = accuracy(result.classifier, encode(method.encoder, valid), valid.labels)
    assert result.metrics["valid/accuracy"] == expected


@pytest.mark.parametrize("digits", [False, True])
@pytest.mark.parametrize("kind", [Autoencoder, Contrastive])
def test_the_protocols_classifier_learns_from_variants_too(
    kind: type,
    digits: bool,
    build_method: BuildMethod,
    make_images: MakeImages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It only: the probe and the accuracies are those of the images as they are."""
    method, train, valid = build_method(kind), make_images(60), make_images(30, 1)
    given: dict[str, Any] = {}
    original = evaluation.fit_classifier

    def spy(latents: Tensor, labels: Tensor, **values: Any) -> nn.Module:
        given.update(values, latents=latents, labels=labels)
        return original(latents, labels, **values)

    monkeypatch.setattr(evaluation, "fit_classifier", spy)
    result = evaluate(method, train, valid, classes=CLASSES, digits=digits, seed=0)
    plain, variants = encode(method.encoder, train), given["latents"][60:]
    assert torch.equal(given["latents"][:60], plain)
    each = len(given["latents"]) // 60
    assert each == (12 if digits else 2)
    assert torch.equal(given["labels"], train.labels.repeat(each))
    assert each * given["epochs"] == (48 if digits else 16)
    for part in variants.split(60):
        assert not torch.isclose(part, plain).all(1).any()
    probe = fit_linear_probe(plain, train.labels, classes=CLASSES)
    expected = accuracy(probe, encode(method.encoder, valid), valid.labels)
    assert result.metrics["valid/linear_accuracy"] == expected
    for name, data in (("train/accuracy", train), ("valid/accuracy", valid)):
        right = accuracy(result.classifier, encode(method.encoder, data), data.labels)
        assert result.metrics[name] == right


def test_a_joint_classifier_has_met_its_images_already(
    build_method: BuildMethod, make_images: MakeImages
) -> None:
    method, train, valid = build_method(Supervised), make_images(60), make_images(30, 1)
    first, second = (
        evaluate(method, train, valid, classes=CLASSES, digits=digits, seed=0).metrics
        for digits in (False, True)
    )
    assert first == second


def test_the_line_beside_final_numbers_changes_with_the_classifier(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = evaluation.classifier_settings(digits=True)
    assert said == (
        "hidden 512-512, labels smoothed 0.1, rate 0.006, decay 0.5, "
        "48 passes of 12 variants of strength 0.4"
    )
    assert evaluation.classifier_settings(digits=False).endswith(", 16 passes of 2 variants")
    for name, value in (
        ("CLASSIFIER_HIDDEN", (1024,)),
        ("LABEL_SMOOTHING", 0.0),
        ("LEARNING_RATE", 1e-3),
        ("WEIGHT_DECAY", 0.1),
        ("DIGIT_PASSES", 24),
        ("DIGIT_STRENGTH", 0.3),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(evaluation, name, value)
            assert evaluation.classifier_settings(digits=True) != said, name


def test_a_pictures_variant_is_its_mirror_image(
    build_method: BuildMethod, make_images: MakeImages
) -> None:
    """Left and right are exchanged, up and down are not."""
    encoder, data = build_method(Contrastive).encoder, make_images(25)
    before = data.images.clone()
    turned = DeviceImages(
        images=torch.from_numpy(data.images.numpy()[..., ::-1].copy()), labels=data.labels
    )
    own, mirrored = encode_variants(encoder, data, digits=False, seed=0)
    assert torch.equal(own, encode(encoder, data))
    assert torch.equal(mirrored, encode(encoder, turned))
    assert torch.equal(data.images, before)


def test_a_digits_variants_are_small_views_drawn_by_the_seed(make_images: MakeImages) -> None:
    """By an encoder that keeps every pixel: each view is its image, moved a little."""
    encoder, data = nn.Flatten(), make_images(25)
    first = encode_variants(encoder, data, digits=True, seed=3)
    assert first.shape == (12, 25, data.images[0].numel())
    assert torch.equal(first, encode_variants(encoder, data, digits=True, seed=3))
    assert not torch.equal(first, encode_variants(encoder, data, digits=True, seed=4))
    own, *views = first
    assert torch.equal(own, encode(encoder, data))
    assert not any(torch.equal(views[0], other) for other in (own, *views[1:]))
    generator = torch.Generator().manual_seed(3)
    drawn = Digits(0.4)(data.images.float() / 255, generator).flatten(1)
    assert torch.allclose(views[0], drawn, atol=1e-6)


def test_an_encoder_that_forgets_the_image_is_worth_chance(
    method_kind: type, build_method: BuildMethod, make_images: MakeImages
) -> None:
    """The images tell the classes apart; latents that are all equal do not. So no metric of
    accuracy can have seen anything but latents.
    """
    train, valid = make_images(200), make_images(80, 1)

    class Forget(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.ones(len(images), 8)

    method = build_method(method_kind)
    method.encoder = Forget()
    metrics = evaluate(method, train, valid, classes=CLASSES, digits=False, seed=0).metrics
    for name in ("valid/accuracy", "train/accuracy", "valid/linear_accuracy"):
        assert metrics[name] == pytest.approx(0.25), name


def test_the_validation_labels_do_not_reach_the_classifier(
    build_method: BuildMethod, make_images: MakeImages, weights: Weights
) -> None:
    method, train, valid = build_method(Contrastive), make_images(60), make_images(40, 1)
    shuffled = replace(valid, labels=valid.labels.roll(1))
    honest = evaluate(method, train, valid, classes=CLASSES, digits=False, seed=0)
    other = evaluate(method, train, shuffled, classes=CLASSES, digits=False, seed=0)
    assert same(weights(honest.classifier), weights(other.classifier))
    assert honest.metrics["train/accuracy"] == other.metrics["train/accuracy"]


def test_what_was_learned_is_measured(build_method: BuildMethod, make_images: MakeImages) -> None:
    method, train, valid = build_method(Supervised, strength=0.1), make_images(160), make_images(80)
    for _ in fit(method, train, Optimisation(batch_size=16, lr=1e-2), epochs=8, seed=0):
        pass
    metrics = evaluate(method, train, valid, classes=CLASSES, digits=False, seed=0).metrics
    assert metrics["valid/accuracy"] > 0.95 and metrics["valid/linear_accuracy"] > 0.95


def test_encoding_in_batches_is_one_pass_in_eval_mode(
    build_method: BuildMethod, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = build_method(Contrastive, dropout=0.5).encoder.train()
    data = make_images(25)
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 7)  # 7, 7, 7 and 4
    latents = encode(encoder, data)
    with torch.no_grad():
        expected = encoder.eval()(data.images / 255)
    assert latents.dtype == torch.float32 and not latents.requires_grad
    torch.testing.assert_close(latents, expected)


def test_encoding_in_bfloat16_is_close_and_float32(
    build_method: BuildMethod, make_images: MakeImages
) -> None:
    encoder, data = build_method(Contrastive).encoder, make_images(25)
    exact, rough = encode(encoder, data), encode(encoder, data, precision="bfloat16")
    assert rough.dtype == torch.float32 and not torch.equal(exact, rough)
    torch.testing.assert_close(rough, exact, atol=0.05 * exact.std().item(), rtol=0.05)


def test_reconstruction_error_against_numpy(
    build_method: BuildMethod, make_images: MakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, data = build_method(Autoencoder), make_images(25)
    assert method.decoder is not None
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 7)
    measured = reconstruction_mae(method.encoder, method.decoder, data)
    with torch.no_grad():
        output = method.decoder.eval()(method.encoder.eval()(data.images / 255)).numpy()
    expected = np.abs(output.astype(np.float64) - data.images.numpy() / 255).mean()
    assert measured == pytest.approx(expected, rel=1e-6)


def test_the_error_from_latents_is_the_same(
    build_method: BuildMethod, make_images: MakeImages
) -> None:
    method, data = build_method(Autoencoder), make_images(1500)
    assert method.decoder is not None
    latents = encode(method.encoder, data)
    assert decoded_mae(method.decoder, latents, data) == reconstruction_mae(
        method.encoder, method.decoder, data
    )


def test_a_perfect_reconstruction_has_no_error(make_images: MakeImages) -> None:
    assert reconstruction_mae(nn.Identity(), nn.Identity(), make_images(25)) == 0


def test_accuracy_is_the_share_of_right_answers() -> None:
    latents = torch.tensor([[3.0, 1.0], [0.0, 2.0], [5.0, 4.0], [1.0, 9.0], [2.0, 1.0]])
    labels = torch.tensor([0, 1, 1, 1, 1])
    assert accuracy(nn.Identity(), latents, labels) == pytest.approx(0.6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_latents_that_are_no_numbers_are_an_error(
    method_kind: type, value: float, build_method: BuildMethod, make_images: MakeImages
) -> None:
    method = build_method(method_kind)
    with torch.no_grad():
        last = getattr(method.encoder, "to_mean", None) or method.encoder.to_latent
        next(last.parameters()).fill_(value)
    with pytest.raises(ArithmeticError, match="latents are not finite"):
        evaluate(method, make_images(60), make_images(40), classes=CLASSES, digits=False, seed=0)

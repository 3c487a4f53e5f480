"""The metrics of frozen weights: which there are, what they are measured on, what they leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.trainers.small import CLASSES, build_method, make_images, same, weights
from trainers import evaluation
from trainers.augmentation import Digits
from trainers.classifiers import fit_linear_classifier, nearest_classes, unscaled
from trainers.data.datasets import find_spec
from trainers.evaluation import (
    accuracy,
    decoded_mae,
    encode,
    evaluate,
    information,
    judging_views,
    reconstruction_mae,
)
from trainers.measures.structure import rankme
from trainers.methods import Autoencoder, Contrastive, Supervised, VariationalAutoencoder


def metrics_of(*given: Any, **named: Any) -> dict[str, float]:
    """What is measured, without how long it took."""
    metrics = evaluate(*given, classes=CLASSES, **{"seed": 0, **named}).metrics
    return {name: value for name, value in metrics.items() if not name.startswith("time/")}


def test_names_and_range_of_the_metrics(method_kind: type) -> None:
    method, train, valid = build_method(method_kind), make_images(120), make_images(40, 1)
    measures = ("accuracy", "linear_accuracy", "knn_accuracy")
    expected = {f"{images}/{measure}" for images in ("train", "valid") for measure in measures}
    if method.decoder is not None:
        expected.add("valid/mae")
    every = evaluate(method, train, valid, classes=CLASSES, seed=0).metrics
    seconds = {every.pop(f"time/{part}_seconds") for part in ("classifier", "linear", "knn")}
    assert min(seconds) > 0
    bound = {"valid/rankme": every.pop("valid/rankme")}
    assert 1 <= bound["valid/rankme"] <= 128
    if method_kind is VariationalAutoencoder:
        bound |= {name: every.pop(name) for name in ("valid/elbo", "valid/kl")}
        assert bound["valid/elbo"] < 0 < bound["valid/kl"]
    assert set(every) == expected
    assert all(isinstance(value, float) and 0 <= value <= 1 for value in every.values())

    rung = metrics_of(method, train, valid, accuracy_only=True)
    assert rung == {"valid/accuracy": every["valid/accuracy"], **bound}


def test_without_labels_the_rank_and_the_error_are_all_there_is() -> None:
    train, valid = make_images(60), make_images(40, 1)
    method = build_method(Autoencoder)
    for images, accuracy_only in ((valid, True), (valid, False)):
        measured = evaluate(method, train, images, classes=0, seed=0, accuracy_only=accuracy_only)
        assert measured.metrics.keys() == {"valid/rankme", "valid/mae", "valid/neg_mae"}
        assert measured.metrics["valid/neg_mae"] == -measured.metrics["valid/mae"] < 0
        assert measured.classifier is None and measured.linear is None
    measured = evaluate(build_method(Contrastive), train, valid, classes=0, seed=0)
    latents = encode(build_method(Contrastive).encoder, valid)
    assert measured.metrics == {"valid/rankme": pytest.approx(rankme(latents))}


def test_views_judge_without_labels_and_are_the_same_whenever_they_are_drawn() -> None:
    labelled = find_spec("mnist")
    assert judging_views(labelled) is None
    views = judging_views(replace(labelled, classes=()))
    assert views == Digits(evaluation.JUDGING)
    method, train, valid = build_method(Contrastive), make_images(60), make_images(40, 1)
    torch.manual_seed(5)
    measured = evaluate(method, train, valid, classes=0, views=views, seed=0)
    torch.manual_seed(6)
    told = information(method.encoder, valid, Digits(evaluation.JUDGING))
    assert measured.metrics["valid/view_information"] == told > 0
    assert information(nn.Flatten(), valid, lambda images, _: images * 0) == 0


def test_a_decoder_is_measured_on_training_images_for_final_numbers_only(method_kind: type) -> None:
    method, train, valid = build_method(method_kind), make_images(60), make_images(40, 1)
    usual = metrics_of(method, train, valid)
    final = metrics_of(method, train, valid, final=True)
    extra = {}
    if method.decoder is not None:
        extra["train/mae"] = reconstruction_mae(method.encoder, method.decoder, train)
        assert extra["train/mae"] != final["valid/mae"]
    assert final == {**usual, **extra}


def test_a_sample_of_the_training_images_looks_for_neighbours_and_finally_all_do(
    method_kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them are the bank, always, and each leaves itself out."""
    method, train, valid = build_method(method_kind), make_images(61), make_images(40, 1)
    monkeypatch.setattr(evaluation, "SAMPLE", 6)
    usual, final = (metrics_of(method, train, valid, final=final) for final in (False, True))
    bank = unscaled(method.encoder, encode(method.encoder, train))
    right = nearest_classes(bank, bank, train.labels, classes=CLASSES, own=True) == train.labels
    assert usual["train/knn_accuracy"] == pytest.approx(right[:6].double().mean().item())
    assert final["train/knn_accuracy"] == pytest.approx(right.double().mean().item())
    assert usual["valid/knn_accuracy"] == final["valid/knn_accuracy"]
    assert usual["train/accuracy"] == final["train/accuracy"]


def test_weights_and_running_statistics_are_left_untouched(method_kind: type) -> None:
    method, train, valid = build_method(method_kind, dropout=0.2), make_images(60), make_images(40)
    before, drawn = weights(method), torch.get_rng_state()
    images = train.images.clone(), valid.images.clone()
    first = evaluate(method, train, valid, classes=CLASSES, seed=0)
    assert same(before, weights(method))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert torch.equal(train.images, images[0]) and torch.equal(valid.images, images[1])
    assert all(p.grad is None for p in method.parameters())  # type: ignore[attr-defined]
    again = metrics_of(method, train, valid)
    assert again.items() <= first.metrics.items()


def test_a_jointly_trained_classifier_is_the_one_measured() -> None:
    """One that always says class 2 has the share of class 2 as its accuracy."""
    method, valid = build_method(Supervised), make_images(41)

    class AlwaysTwo(nn.Module):
        def forward(self, latents: Tensor) -> Tensor:
            return torch.eye(CLASSES)[2].repeat(len(latents), 1)

    method.classifier = AlwaysTwo()
    result = evaluate(method, make_images(60), valid, classes=CLASSES, seed=0)
    assert result.classifier is method.classifier
    share = (valid.labels == 2).float().mean().item()
    assert result.metrics["valid/accuracy"] == pytest.approx(share)
    assert result.metrics["train/accuracy"] == pytest.approx(0.25)


def test_for_the_others_the_protocols_classifier_is_trained_on_train_latents(
    monkeypatch: pytest.MonkeyPatch,
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
    result = evaluate(method, train, valid, classes=CLASSES, seed=5)
    ((latents, labels),) = given
    assert torch.equal(latents, encode(method.encoder, train)) and latents.shape == (60, 8)
    assert torch.equal(labels, train.labels)
    assert settings[0]["classes"] == CLASSES and settings[0]["seed"] == 5
    expected = accuracy(result.classifier, encode(method.encoder, valid), valid.labels)
    assert result.metrics["valid/accuracy"] == expected


def test_the_linear_classifier_is_kept_and_is_the_one_measured(method_kind: type) -> None:
    method, train, valid = build_method(method_kind), make_images(60), make_images(30, 1)
    measured = evaluate(method, train, valid, classes=CLASSES, seed=0)
    latents = [encode(method.encoder, data) for data in (train, valid)]
    expected = fit_linear_classifier(
        latents[0], train.labels, latents[1], valid.labels, classes=CLASSES
    )
    assert measured.linear is not None
    assert torch.equal(measured.linear.weight, expected.weight)
    for name, part, data in zip(("train", "valid"), latents, (train, valid), strict=True):
        share = accuracy(expected, part, data.labels)
        assert measured.metrics[f"{name}/linear_accuracy"] == share
    rung = evaluate(method, train, valid, classes=CLASSES, seed=0, accuracy_only=True)
    assert rung.linear is None


def test_an_encoder_that_forgets_the_image_is_worth_chance(method_kind: type) -> None:
    """The images tell the classes apart; latents that are all equal do not. So no metric of
    accuracy can have seen anything but latents.
    """
    train, valid = make_images(200), make_images(80, 1)

    class Forget(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return torch.ones(len(images), 8)

    method = build_method(method_kind)
    method.encoder = Forget()
    metrics = evaluate(method, train, valid, classes=CLASSES, seed=0).metrics
    for name in ("valid/accuracy", "train/accuracy", "valid/linear_accuracy", "valid/knn_accuracy"):
        assert metrics[name] == pytest.approx(0.25), name


def test_the_validation_labels_do_not_reach_the_classifier() -> None:
    method, train, valid = build_method(Contrastive), make_images(60), make_images(40, 1)
    shuffled = replace(valid, labels=valid.labels.roll(1))
    honest = evaluate(method, train, valid, classes=CLASSES, seed=0)
    other = evaluate(method, train, shuffled, classes=CLASSES, seed=0)
    assert same(weights(honest.classifier), weights(other.classifier))
    assert honest.metrics["train/accuracy"] == other.metrics["train/accuracy"]


def test_encoding_in_batches_is_one_pass_in_eval_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = build_method(Contrastive, dropout=0.5).encoder.train()
    data = make_images(25)
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 7)  # 7, 7, 7 and 4
    latents = encode(encoder, data)
    with torch.no_grad():
        expected = encoder.eval()(data.images / 255)
    assert latents.dtype == torch.float32 and not latents.requires_grad
    torch.testing.assert_close(latents, expected)


def test_encoding_in_bfloat16_is_close_and_float32() -> None:
    encoder, data = build_method(Contrastive).encoder, make_images(25)
    exact, rough = encode(encoder, data), encode(encoder, data, precision="bfloat16")
    assert rough.dtype == torch.float32 and not torch.equal(exact, rough)
    torch.testing.assert_close(rough, exact, atol=0.05 * exact.std().item(), rtol=0.05)


def test_reconstruction_error_against_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    method, data = build_method(Autoencoder), make_images(25)
    assert method.decoder is not None
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 7)
    measured = reconstruction_mae(method.encoder, method.decoder, data)
    with torch.no_grad():
        output = method.decoder.eval()(method.encoder.eval()(data.images / 255)).numpy()
    expected = np.abs(output.astype(np.float64) - data.images.numpy() / 255).mean()
    assert measured == pytest.approx(expected, rel=1e-6)
    latents = encode(method.encoder, data)
    assert decoded_mae(method.decoder, latents, data) == measured


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_latents_that_are_no_numbers_are_an_error(method_kind: type, value: float) -> None:
    method = build_method(method_kind)
    with torch.no_grad():
        last = getattr(method.encoder, "to_mean", None) or method.encoder.to_latent
        next(last.parameters()).fill_(value)
    with pytest.raises(ArithmeticError, match="latents are not finite"):
        evaluate(method, make_images(60), make_images(40), classes=CLASSES, seed=0)

"""The protocol's three classifiers, all of them on latents alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor, nn

from models import Classifier
from trainers import classifiers
from trainers.classifiers import (
    LARGEST_BATCH,
    NEIGHBOURS,
    STEPS_PER_EPOCH,
    TEMPERATURE,
    WORTH_CASTING,
    fit_classifier,
    fit_linear_classifier,
    nearest_classes,
    unscaled,
)


def clusters(
    count: int, *, classes: int = 5, latent_dim: int = 16, spread: float, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """(N, D) normal clouds around fixed centres of length about 4, and (N,) labels."""
    centres = torch.randn(classes, latent_dim, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, classes, (count,), generator=generator)
    return centres[labels] + spread * torch.randn(count, latent_dim, generator=generator), labels


def share_right(classifier: nn.Module, latents: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return (classifier(latents).argmax(1) == labels).double().mean().item()


def fit_linear(latents: Tensor, labels: Tensor, *, classes: int) -> nn.Module:
    """With the training latents themselves to choose the penalty by."""
    return fit_linear_classifier(latents, labels, latents, labels, classes=classes)


def parameters(module: nn.Module) -> Tensor:
    return torch.cat([tensor.double().flatten() for tensor in module.state_dict().values()])


def test_separable_latents_are_classified() -> None:
    """Clouds of spread 0.3 around centres some 5 apart: no two of them meet.

    A tenth of a label is spread over all five classes: the most that it can ask for is 0.92.
    """
    latents, labels = clusters(2000, spread=0.3)
    classifier = fit_classifier(latents, labels, classes=5, seed=0)
    assert isinstance(classifier, Classifier) and not classifier.training
    assert share_right(classifier, latents, labels) == 1.0
    assert share_right(classifier, *clusters(1000, spread=0.3, seed=1)) > 0.99
    with torch.no_grad():
        surest = classifier(latents).softmax(1).amax(1)
    assert surest.mean().item() == pytest.approx(0.92, abs=0.02)


def test_classes_that_no_line_separates_are_classified() -> None:
    """Two variables' signs, alike or not: a linear classifier cannot, hidden layers can."""
    latents = torch.randn(3000, 2, generator=torch.Generator().manual_seed(0))
    labels = ((latents[:, 0] > 0) == (latents[:, 1] > 0)).long()
    assert share_right(fit_classifier(latents, labels, classes=2, seed=0), latents, labels) > 0.95
    assert share_right(fit_linear(latents, labels, classes=2), latents, labels) < 0.6


def test_the_seed_decides_the_classifier() -> None:
    latents, labels = clusters(1200, spread=1.0)
    first = fit_classifier(latents, labels, classes=5, seed=1)
    torch.rand(3)  # what others draw does not matter
    again = fit_classifier(latents, labels, classes=5, seed=1)
    other = fit_classifier(latents, labels, classes=5, seed=2)
    assert torch.equal(parameters(first), parameters(again))
    assert not torch.equal(parameters(first), parameters(other))


@pytest.mark.slow
def test_in_bfloat16_it_is_as_good_and_its_weights_are_float32() -> None:
    latents, labels = clusters(STEPS_PER_EPOCH * WORTH_CASTING, spread=2.0)
    fresh, fresh_labels = clusters(1000, spread=2.0, seed=1)
    exact = fit_classifier(latents, labels, classes=5, seed=0)
    rough = fit_classifier(latents, labels, classes=5, seed=0, precision="bfloat16")
    assert all(parameter.dtype == torch.float32 for parameter in rough.parameters())
    assert not torch.equal(parameters(exact), parameters(rough))
    assert share_right(rough, fresh, fresh_labels) == pytest.approx(
        share_right(exact, fresh, fresh_labels), abs=0.02
    )


def test_small_batches_are_not_cast() -> None:
    latents, labels = clusters(1000, spread=2.0)
    exact = fit_classifier(latents, labels, classes=5, seed=0)
    asked = fit_classifier(latents, labels, classes=5, seed=0, precision="bfloat16")
    assert torch.equal(parameters(exact), parameters(asked))


def test_the_scale_of_the_latents_does_not_matter() -> None:
    latents, labels = clusters(1000, spread=2.0)
    fresh, fresh_labels = clusters(1000, spread=2.0, seed=1)
    plain = fit_classifier(latents, labels, classes=5, seed=0)
    scaled = fit_classifier(200 * latents - 50, labels, classes=5, seed=0)
    accuracy = share_right(plain, fresh, fresh_labels)
    assert share_right(scaled, 200 * fresh - 50, fresh_labels) == pytest.approx(accuracy, abs=0.01)
    assert accuracy > 0.8


@pytest.mark.parametrize("count", [7, LARGEST_BATCH - 1, LARGEST_BATCH, LARGEST_BATCH + 1])
def test_any_number_of_latents_will_do(count: int) -> None:
    latents, labels = clusters(count, spread=0.3)
    classifier = fit_classifier(latents, labels, classes=5, seed=0)
    assert parameters(classifier).isfinite().all()
    assert not torch.equal(parameters(classifier), parameters(Classifier(latent_dim=16, classes=5)))


def test_neither_what_they_are_given_nor_the_global_generator_is_changed() -> None:
    """The training that goes on afterwards draws its dropout from it."""
    latents, labels = clusters(600, spread=1.0)
    kept, before = (latents.clone(), labels.clone()), torch.get_rng_state()
    fit_classifier(latents, labels, classes=5, seed=0)
    fit_linear(latents, labels, classes=5)
    nearest_classes(latents, latents, labels, classes=5, own=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(latents, kept[0]) and torch.equal(labels, kept[1])
    assert not latents.requires_grad


@pytest.mark.parametrize(("penalty", "rounding"), [(0.1, 0.06), (100.0, 0.01)])
@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_the_linear_classifier_against_scikit_learn(
    spread: float, penalty: float, rounding: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same minimum by another program: C is 1 / (2 penalty), the features standardised."""
    monkeypatch.setattr(classifiers, "PENALTIES", (penalty,))
    latents, labels = clusters(1500, spread=spread)
    fresh, _ = clusters(1500, spread=spread, seed=1)
    linear = fit_linear(latents, labels, classes=5)
    mean, deviation = latents.mean(0), latents.std(0)
    reference = LogisticRegression(C=1 / (2 * penalty), max_iter=2000, tol=1e-8).fit(
        ((latents - mean) / deviation).numpy(), labels.numpy()
    )
    expected = reference.predict_proba(((fresh - mean) / deviation).numpy())
    with torch.no_grad():
        probabilities = linear(fresh).softmax(1).numpy()
    assert np.abs(probabilities - expected).max() < rounding


def test_the_penalty_is_the_best_on_validation_latents(monkeypatch: pytest.MonkeyPatch) -> None:
    """One coordinate of 40 tells: a strong penalty hides it, a weak one learns the noise."""
    generator = torch.Generator().manual_seed(0)

    def draw(count: int) -> tuple[Tensor, Tensor]:
        labels = torch.randint(0, 2, (count,), generator=generator)
        latents = torch.randn(count, 40, generator=generator)
        latents[:, 0] += labels * 2 - 1
        return latents, labels

    train, valid = draw(60), draw(3000)

    def reached(*penalties: float) -> float:
        monkeypatch.setattr(classifiers, "PENALTIES", penalties)
        return share_right(fit_linear_classifier(*train, *valid, classes=2), *valid)

    strong, middle, weak = reached(3000.0), reached(10.0), reached(1e-4)
    assert middle > max(strong, weak) + 0.02
    assert reached(3000.0, 10.0, 1e-4) == pytest.approx(middle, abs=0.005)


@pytest.mark.parametrize("constant", [0.0, 3.7, -1e-3])
def test_a_latent_that_never_varies_does_no_harm(constant: float) -> None:
    latents, labels = clusters(1000, spread=2.0)
    fresh, fresh_labels = clusters(1000, spread=2.0, seed=1)
    without = share_right(fit_linear(latents, labels, classes=5), fresh, fresh_labels)

    def with_constant(rows: Tensor) -> Tensor:
        return torch.cat([rows, torch.full((len(rows), 1), constant)], dim=1)

    linear = fit_linear(with_constant(latents), labels, classes=5)
    assert parameters(linear).isfinite().all()
    accuracy = share_right(linear, with_constant(fresh), fresh_labels)
    assert accuracy == pytest.approx(without, abs=0.01)
    classifier = fit_classifier(with_constant(latents), labels, classes=5, seed=0)
    assert share_right(classifier, with_constant(fresh), fresh_labels) > 0.8


def test_a_collapsed_encoder_is_worth_chance() -> None:
    """All latents equal: the prediction is one class, the loss log K, nothing is NaN."""
    latents, labels = torch.full((1000, 8), 0.3), torch.arange(1000) % 5
    for fitted in (
        fit_classifier(latents, labels, classes=5, seed=0),
        fit_linear(latents, labels, classes=5),
    ):
        assert share_right(fitted, latents, labels) == pytest.approx(0.2)
        with torch.no_grad():
            assert F.cross_entropy(fitted(latents), labels).item() == pytest.approx(
                math.log(5), abs=0.02
            )


@pytest.mark.parametrize("own", [False, True])
def test_nearest_classes_against_scikit_learn(own: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifiers, "QUERIES", 70)
    bank, labels = clusters(600, spread=3.0)
    queries = bank[:250] if own else clusters(250, spread=3.0, seed=1)[0]
    found = nearest_classes(queries, bank, labels, classes=5, own=own)

    centre = bank.mean(0)

    def votes(distances: np.ndarray) -> np.ndarray:
        return np.exp(-distances / TEMPERATURE)

    def expected(row: int) -> int:
        others = torch.arange(len(bank)) != (row if own else -1)
        reference = KNeighborsClassifier(NEIGHBOURS, metric="cosine", weights=votes)
        reference.fit((bank - centre)[others].numpy(), labels[others].numpy())
        return int(reference.predict((queries - centre)[row : row + 1].numpy())[0])

    assert found.tolist() == [expected(row) for row in range(250)]


def test_neither_origin_nor_unit_matters_to_neighbours() -> None:
    bank, labels = clusters(600, spread=3.0)
    moved = 7 * (bank + 30)
    first = nearest_classes(bank, bank, labels, classes=5, own=True)
    second = nearest_classes(moved, moved, labels, classes=5, own=True)
    assert (first == second).float().mean() > 0.99  # near ties turn with the rounding


def test_a_bank_may_be_smaller_than_the_neighbourhood() -> None:
    bank, labels = torch.eye(3), torch.tensor([2, 0, 1])
    assert nearest_classes(bank, bank, labels, classes=3).tolist() == [2, 0, 1]


def test_the_closing_normalisations_scales_are_undone() -> None:
    """The scales are back, the mean stays where it is; other encoders' latents are as they were."""
    torch.manual_seed(0)
    inner, closing = nn.Linear(6, 4), nn.BatchNorm1d(4, affine=False)
    encoder = nn.Sequential(inner, closing)
    images = 3 * torch.randn(200, 6) + 1
    for _ in range(5):
        encoder(images)
    encoder.eval()
    with torch.no_grad():
        latents, before = encoder(images), inner(images)
    torch.testing.assert_close(unscaled(encoder, latents), before - closing.running_mean)
    assert not torch.allclose(latents, before, atol=0.1)
    assert unscaled(inner, before) is before
    learned = nn.Sequential(inner, nn.BatchNorm1d(4))
    assert unscaled(learned, latents) is latents

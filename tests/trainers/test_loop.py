"""The training loop: determinism, a loop written out, what it leaves out and what it refuses."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import Classifier, ConvEncoder, PatchWhitening
from tests.trainers.small import build_method, make_images, same, weights
from trainers.augmentation import Digits
from trainers.data import LabelledImages
from trainers.loop import DeviceImages, EpochResult, NonFiniteLoss, Training, fit
from trainers.methods import Autoencoder, Contrastive, Method, Supervised
from trainers.optimisation import Optimisation
from trainers.precision import Precision

SETTINGS = Optimisation(batch_size=16, lr=3e-3, weight_decay=0.05)


def losses(
    method: Method,
    data: DeviceImages,
    settings: Optimisation = SETTINGS,
    *,
    epochs: int = 2,
    seed: int = 0,
    precision: Precision = "float32",
) -> list[float]:
    course = fit(method, data, settings, epochs=epochs, seed=seed, precision=precision)
    return [result.loss for result in course]


def test_one_result_per_epoch() -> None:
    results = list(fit(build_method(Supervised), make_images(70), SETTINGS, epochs=3, seed=0))
    assert all(isinstance(result, EpochResult) for result in results)
    assert [result.epoch for result in results] == [1, 2, 3]
    for result in results:
        assert result.seconds > 0 and math.isfinite(result.loss)
        # Four batches of 16; the 6 images left over do not count.
        assert result.images_per_second == pytest.approx(64 / result.seconds)
    assert [result.lr for result in results] == [SETTINGS.rate(step, 12) for step in (3, 7, 11)]


def test_no_epochs_no_results() -> None:
    method = build_method(Supervised)
    before = weights(method)
    assert list(fit(method, make_images(32), SETTINGS, epochs=0, seed=0)) == []
    assert same(before, weights(method))


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(method_kind: type) -> None:
    data = make_images(50)

    def run(seed: int, drawn_before: int) -> tuple[list[float], dict[str, Tensor]]:
        method = build_method(method_kind, dropout=0.3)
        torch.rand(drawn_before)  # dropout must not depend on what others drew
        return losses(method, data, seed=seed), weights(method)

    first, again, other = run(1, 0), run(1, 5), run(2, 0)
    assert first[0] == again[0] and same(first[1], again[1])
    assert first[0] != other[0] and not same(first[1], other[1])


def test_the_loss_falls(method_kind: type) -> None:
    """Measured with seeds 0 to 4: the last loss is at most 0.8 of the first for every method."""
    course = losses(build_method(method_kind, strength=0.2), make_images(96), epochs=12)
    assert course[-1] < 0.9 * course[0]


class Recorder(nn.Module):
    """Keeps every batch that it is given; its loss is as scripted."""

    uses_labels = True
    decoder = None
    classifier = None

    def __init__(self, script: Callable[[int], float] = lambda step: 1.0) -> None:
        super().__init__()
        self.encoder = nn.Linear(1, 1)
        self.script = script
        self.images: list[Tensor] = []
        self.labels: list[Tensor] = []
        self.training_modes: list[bool] = []

    def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        value = self.script(len(self.images))
        self.images.append(images)
        self.labels.append(labels)
        self.training_modes.append(self.training)
        return self.encoder(torch.ones(1)).sum() * 0 + value


def numbered(count: int) -> DeviceImages:
    """One pixel per image, its value its number, and the label too."""
    numbers = torch.arange(count)
    return DeviceImages(images=numbers.to(torch.uint8)[:, None, None, None], labels=numbers)


def test_an_epoch_takes_each_image_once_and_leaves_the_last_smaller_batch_out() -> None:
    """And it trains in training mode, whatever happened in between."""
    method = Recorder(float)
    for result in fit(method, numbered(50), SETTINGS, epochs=20, seed=0):
        assert result.loss == 3 * result.epoch - 2, "the mean of the epoch's three steps"
        method.eval()
    assert all(method.training_modes)
    assert [len(labels) for labels in method.labels] == [16] * 60
    epochs = [torch.cat(method.labels[3 * e : 3 * e + 3]).tolist() for e in range(20)]
    assert all(len(set(epoch)) == 48 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 20  # each epoch in an order of its own
    # Were the same two images left out always, 48 would come up. False alarm for one image to
    # be left out by all 20 epochs: 50 * (2 / 50) ** 20, about 1e-26.
    assert set().union(*epochs) == set(range(50))


@pytest.mark.parametrize("limit", [0.0, 0.01])
def test_gradients_are_shortened_to_a_limit_and_left_alone_without_one(limit: float) -> None:
    """Nesterov's first step goes 1.9 gradients far."""
    method = build_method(Supervised)
    before = weights(method)
    settings = Optimisation(
        optimizer="sgd", lr=1.0, weight_decay=0.0, batch_size=16, warmup=0.0, clip_norm=limit
    )
    next(fit(method, make_images(16), settings, epochs=1, seed=0))
    learned = dict(method.named_parameters())  # type: ignore[attr-defined]
    squares = [(value - before[name]).square().sum().item() for name, value in learned.items()]
    moved = math.sqrt(sum(squares))
    assert moved > 0.1 if limit == 0 else moved == pytest.approx(1.9 * limit, rel=1e-4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_ends_the_training_and_names_the_step(value: float) -> None:
    method = Recorder(lambda step: value if step >= 4 else 1.0)
    course = fit(method, numbered(48), SETTINGS, epochs=3, seed=0)
    assert next(course).loss == 1.0
    with pytest.raises(NonFiniteLoss, match=f"^loss is {value} at step 4$") as caught:
        next(course)
    assert caught.value.step == 4
    assert str(caught.value.value) == str(value)
    assert isinstance(caught.value, ArithmeticError)
    assert list(course) == []  # it is over


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^batch_size is 16, the data has 15 images$"):
        next(fit(Recorder(), numbered(15), SETTINGS, epochs=1, seed=0))
    assert len(list(fit(Recorder(), numbered(16), SETTINGS, epochs=1, seed=0))) == 1


def test_read_only_arrays_are_taken_without_a_warning_and_without_a_copy() -> None:
    """Arrays out of shared memory are read-only."""
    drawn = make_images(32)
    images, labels = drawn.images.numpy().copy(), drawn.labels.numpy().astype(np.int64)
    before = images.copy()
    images.flags.writeable = labels.flags.writeable = False
    torch.set_warn_always(True)  # otherwise torch warns once in a process
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            data = DeviceImages.load(
                LabelledImages(images=images, labels=labels), torch.device("cpu")
            )
            losses(build_method(Autoencoder), data)
    finally:
        torch.set_warn_always(False)
    assert [str(warning.message) for warning in caught] == []
    assert len(data) == 32
    assert data.images.dtype == torch.uint8 and data.labels.dtype == torch.int64
    assert data.images.data_ptr() == images.ctypes.data
    assert np.array_equal(images, before)


def test_a_training_can_be_abandoned() -> None:
    """What a pruned trial does; and what was trained until then is what a full run had by then."""
    data, full, pruned = make_images(48), build_method(Contrastive), build_method(Contrastive)
    snapshots = [weights(full) for _ in fit(full, data, SETTINGS, epochs=3, seed=0)]
    course = fit(pruned, data, SETTINGS, epochs=3, seed=0)
    next(course)
    course.close()
    assert list(course) == []
    assert same(weights(pruned), snapshots[0])
    assert not same(snapshots[0], snapshots[2])
    next(fit(pruned, data, SETTINGS, epochs=1, seed=0))  # another can start on the same weights


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    """As a checkpoint keeps it; nothing in it may need code to be read."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return dict(torch.load(file, weights_only=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "precision"),
    [
        (SETTINGS, "bfloat16"),
        (replace(SETTINGS, optimizer="sgd", lr=0.05, clip_norm=0.0), "float32"),
        (replace(SETTINGS, optimizer="muon"), "bfloat16"),
        (replace(SETTINGS, first_moment="plain", second_moment="plain"), "float32"),
    ],
    ids=["adamw", "sgd", "muon", "plain averages"],
)
def test_a_training_that_goes_on_from_its_state_is_the_uninterrupted_one(
    method_kind: type, settings: Optimisation, precision: Precision
) -> None:
    """Losses and weights to the last bit, with dropout, views and another use of the generator."""
    data = make_images(48)

    def begin() -> tuple[Method, Training]:
        method = build_method(method_kind, dropout=0.3, strength=0.5)
        return method, fit(method, data, settings, epochs=5, seed=3, precision=precision)

    whole, course = begin()
    expected = [result.loss for result in course]
    _, course = begin()
    losses = [next(course).loss, next(course).loss]
    state = through_a_file(course.state_dict())
    next(course)  # the state is a copy by now: it does not move along
    second, course = begin()
    torch.rand(100)
    course.load_state_dict(state)
    results = list(course)
    assert [result.epoch for result in results] == [3, 4, 5]
    assert losses + [result.loss for result in results] == expected
    assert same(weights(second), weights(whole))


def test_a_training_goes_on_on_another_device_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """A CUDA generator's state has 16 bytes, a CPU's 5,056."""
    data = make_images(48)

    def begin() -> tuple[Method, Training]:
        method = build_method(Supervised, dropout=0.3)
        return method, fit(method, data, SETTINGS, epochs=4, seed=3)

    first, course = begin()
    next(course), next(course)
    state = through_a_file(course.state_dict())
    state |= {"device": "cuda", "generator": torch.zeros(16, dtype=torch.uint8)}
    expected = weights(first)
    ends = []
    for _ in range(2):
        method, course = begin()
        course.load_state_dict(through_a_file(state))
        assert same(weights(method), expected)
        ends.append([result.epoch for result in course] + [weights(method)])
    assert "a training from cuda continues on cpu, its random numbers differ" in caplog.text
    assert ends[0][:2] == [3, 4] and same(ends[0][2], ends[1][2])


def test_a_counter_that_is_not_stored_with_a_model_goes_on_too() -> None:
    class Counting(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(()), persistent=False)

        def loss(self, images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
            self.count += 1
            return super().loss(images, labels, generator)

    method, again = Counting(), Counting()
    course = fit(method, numbered(48), SETTINGS, epochs=3, seed=0)
    next(course)
    other = fit(again, numbered(48), SETTINGS, epochs=3, seed=0)
    other.load_state_dict(through_a_file(course.state_dict()))
    assert again.count == 3


def test_the_state_of_another_method_is_refused_and_changes_nothing() -> None:
    data, method = make_images(48), build_method(Supervised)
    state = fit(build_method(Contrastive), data, SETTINGS, epochs=3, seed=0).state_dict()
    course, before = fit(method, data, SETTINGS, epochs=3, seed=0), weights(method)
    with pytest.raises(ValueError, match="of another method"):
        course.load_state_dict(state)
    assert same(weights(method), before)
    assert next(course).epoch == 1


def test_the_first_images_are_a_view_of_all() -> None:
    data = numbered(10)
    some = data.first(4)
    assert some.labels.tolist() == some.images.flatten().tolist() == [0, 1, 2, 3]
    assert some.images.data_ptr() == data.images.data_ptr()
    assert some.labels.data_ptr() == data.labels.data_ptr()
    assert (len(data), len(data.first(0)), len(data.first(11))) == (10, 0, 10)


def test_a_whitened_stem_is_set_from_the_training_images_and_a_resumed_one_is_kept() -> None:
    """Before the first step; another training set gives other filters, a state brings its own."""

    def begin(seed: int) -> tuple[Supervised, Training]:
        torch.manual_seed(0)
        encoder = ConvEncoder(channels=1, size=12, width=4, depth=2, latent_dim=8, stem="whitened")
        classifier = Classifier(latent_dim=8, classes=4)
        method = Supervised(encoder=encoder, classifier=classifier, augmentation=Digits(0.0))
        shape = (40, 1, 12, 12)
        pixels = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed))
        data = DeviceImages(images=pixels.to(torch.uint8), labels=torch.arange(40) % 4)
        settings = Optimisation(batch_size=20)
        return method, fit(method, data, settings, epochs=2, seed=0)

    def filters(method: Supervised) -> Tensor:
        (stem,) = (part for part in method.modules() if isinstance(part, PatchWhitening))
        return stem.filters.clone()

    (first, training), (second, other) = begin(0), begin(1)
    untouched = PatchWhitening(channels=1).filters
    assert not torch.equal(filters(first), untouched)
    assert not torch.equal(filters(first), filters(second))
    before = filters(first)
    next(training)
    assert torch.equal(filters(first), before)
    other.load_state_dict(training.state_dict())
    assert torch.equal(filters(second), before)

"""What is said of walks, whichever way their measures fall; and which measures cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analysis.interpolation import measures
from analysis.interpolation.measures import Interpolation, Paths, Real
from analysis.interpolation.words import answer, explain, measurements, middle_is_usual
from analysis.records import Findings

MNIST, CIFAR = "mnist_autoencoder", "cifar_autoencoder"
PAIRS, STEPS, CLASSES = 40, 10, 10


def paths(**middles: float) -> Paths:
    """Forty walks that are alike: every measure 1 at the ends, as given between, else 1.

    Entropy and ghosting are 0.1 by default; a small spread keeps the rank test defined.
    """
    values = {"entropy": 0.1, "ghosting": 0.1, "mixed_entropy": 0.5, **middles}
    jitter = 1 + 0.001 * np.random.default_rng(0).uniform(size=(PAIRS, 1))
    fields: dict[str, Any] = {}
    for name in measures.MEASURES:
        made = np.full((PAIRS, STEPS), 0.1 if "entropy" in name else 1.0)
        made[:, 1:-1] = values.get(name, 1.0)
        fields[name] = np.minimum(made * jitter, np.log(CLASSES) if "entropy" in name else np.inf)
    fields["ghosting"] = np.minimum(fields["ghosting"], 1)
    fields["ghosting"][:, [0, -1]] = np.nan
    predicted = np.repeat([[0] * 5 + [1] * 5], PAIRS, axis=0)
    return Paths(
        rows=np.arange(2 * PAIRS).reshape(PAIRS, 2),
        predicted=predicted,
        confidence=np.full((PAIRS, STEPS), 0.9),
        classes=CLASSES,
        **fields,
    )


def made_up(between: Paths | None = None, within: Paths | None = None) -> Interpolation:
    """One shown pair; real images have distance, entropy and sparsity of about 1."""
    between = between or paths()
    arrays = "rows", "predicted", "confidence", *measures.MEASURES
    one = {name: getattr(between, name)[:1] for name in arrays}
    real = 1 + np.linspace(-0.1, 0.1, 50)
    pictures = np.random.default_rng(0).uniform(size=(1, STEPS, 1, 6, 6))
    return Interpolation(
        shown=replace(between, **one),
        decoded=pictures,
        mixed=pictures,
        labels=np.array([[4, 7]]),
        between=between,
        within=within or paths(),
        real=Real(nearest=real, entropy=real, sparsity=real),
        classes=tuple("0123456789"),
        training=1000,
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows": np.zeros((3, 2))}, r"rows must be \(40, 2\)"),
        ({"nearest": np.ones((PAIRS, 3))}, r"nearest must be \(40, 10\), not \(40, 3\)"),
        ({"entropy": np.full((PAIRS, STEPS), 2.5)}, "entropy outside .0, 2.30"),
        ({"confidence": np.full((PAIRS, STEPS), 1.1)}, "confidence outside .0, 1."),
        ({"ghosting": np.full((PAIRS, STEPS), 1.1)}, "ghosting must be at most 1"),
        ({"sparsity": np.full((PAIRS, STEPS), -1.0)}, "sparsity must be finite and not negative"),
        ({"contrast": np.full((PAIRS, STEPS), np.nan)}, "contrast must be finite"),
    ],
)
def test_measures_that_cannot_be_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(paths(), **changed)


def test_the_middle_is_of_two_steps_or_of_one() -> None:
    walks = replace(paths(), nearest=np.tile(np.arange(STEPS, dtype=float), (PAIRS, 1)))
    assert walks.middle("nearest").tolist() == [4.5] * PAIRS
    assert walks.median_middle("nearest") == walks.median_end("nearest") == 4.5
    arrays = "predicted", "confidence", *measures.MEASURES
    odd = replace(walks, **{name: getattr(walks, name)[:, :5] for name in arrays})
    assert odd.middle("nearest").tolist() == [2.0] * PAIRS


# What is said ------------------------------------------------------------------------------------


def test_middles_as_usual_as_real_images_are_said_to_be(findings: Findings) -> None:
    text = answer(findings.records[MNIST], made_up())
    assert "**Do the middles look like digits? Mostly yes.**" in text
    assert "100 % pass three tests at once" in text
    assert "Most are near to the data, decided and of one class." in text
    assert "real pictures" in answer(findings.records[CIFAR], made_up())


@pytest.mark.parametrize(
    ("middles", "sentence"),
    [
        ({"nearest": 2.0}, "Most are decided and of one class, but far from the data."),
        ({"entropy": 2.0}, "near to the data and decided, but of no single class"),
        ({"ghosting": 0.9}, "near to the data and of one class, but both ends at once"),
        (
            {"nearest": 2.0, "entropy": 2.0, "ghosting": 0.9},
            "Most are far from the data, both ends at once, each paler and of no single class",
        ),
    ],
)
def test_failing_any_test_is_no(findings: Findings, middles: dict[str, Any], sentence: str) -> None:
    found = made_up(paths(**middles))
    assert not middle_is_usual(found.between, found.real).any()
    text = answer(findings.records[MNIST], found)
    assert "Mostly not." in text and "0 % pass three tests" in text
    assert sentence in text
    assert "Of walks within one class 100 % pass." in text


def test_some_is_some(findings: Findings) -> None:
    walks = paths()
    nearest = walks.nearest.copy()
    nearest[::2] = 5
    text = answer(findings.records[MNIST], made_up(replace(walks, nearest=nearest)))
    assert "Some do." in text and "50 % pass three tests" in text


@pytest.mark.parametrize(
    ("middles", "sentence"),
    [
        ({"nearest": 1.5}, "lie 50 % farther out than the ends"),
        ({"nearest": 0.8, "contrast": 0.7}, "no merit: they keep only 70 % of the ends' contrast"),
        ({"nearest": 0.8}, "not by fading: they keep 100 % of the ends' contrast"),
        ({"nearest": 1.02}, "as near as the ends"),
    ],
)
def test_the_distance_is_read_both_ways(middles: dict[str, float], sentence: str) -> None:
    assert sentence in measurements(made_up(paths(**middles)))[0]


def test_certainty_is_said_with_third_classes() -> None:
    walks = paths(entropy=2.0)
    text = measurements(made_up(walks))[1]
    assert "8.0 of the 8 inner steps are less sure" in text
    assert "; 0 % of the middles are taken for a third class" in text
    predicted = walks.predicted.copy()
    predicted[::4, 4:6] = 8
    text = measurements(made_up(replace(walks, predicted=predicted)))[1]
    assert "; 25 % of the middles are taken for a third class" in text
    assert "0.0 of the 8 inner steps are less sure" in measurements(made_up())[1]


def test_ghosting_is_said_both_ways() -> None:
    assert "nearer to a picture that decides" in measurements(made_up())[2]
    assert "nearer to the cross-fade" in measurements(made_up(paths(ghosting=0.8)))[2]
    assert "more like it than not" in explain(made_up(paths(ghosting=0.8)))
    assert "bend the line of latents" in explain(made_up())


def test_density_is_said_three_ways() -> None:
    assert "50 % emptier" in explain(made_up(paths(sparsity=1.5)))
    assert "fuller than that within" in explain(made_up(paths(sparsity=0.8)))
    assert "not shown to be emptier" in explain(made_up())


@pytest.mark.parametrize(
    ("middles", "sentence"),
    [
        ({"nearest": 1.0, "mixed_nearest": 1.5}, "keeps closer to the data than mixing"),
        ({"nearest": 1.5, "mixed_nearest": 1.0}, "keeps less close to the data"),
        ({"nearest": 1.5, "mixed_nearest": 1.5}, "keeps no closer to the data"),
    ],
)
def test_the_latent_walk_is_compared_with_that_of_pixels(
    middles: dict[str, float], sentence: str
) -> None:
    assert sentence in explain(made_up(paths(**middles)))

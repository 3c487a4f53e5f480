"""What sweeps say, on made-up numbers whose answer is plain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from models import parameter_count
from search.grids.results import GridResult, GridRow
from search.spaces.pipeline import load_pipeline
from search.sweeps import (
    averaging,
    decorrelation,
    depth,
    encoders,
    few_labels,
    interpolation,
    latent_dim,
    pca,
    vae,
)
from trainers.data import DATASETS

SEEDS = (1, 2, 3)
LINE = "MNIST autoencoder"


def row(
    x: float,
    metrics: Mapping[str, float],
    *,
    line: str = LINE,
    changes: Mapping[str, Any] | None = None,
    measured: Sequence[Mapping[str, Any]] = (),
) -> GridRow:
    """Three seeds, a thousandth of the value apart."""
    return GridRow(
        line=line,
        x=x,
        pipeline="mnist_autoencoder",
        dataset="mnist",
        changes=changes or {"latent_dim": x},
        cells=("a", "b", "c"),
        seeds=SEEDS,
        metrics={name: [v * (1 + 0.001 * k) for k in (-1, 0, 1)] for name, v in metrics.items()},
        measured=measured,
    )


def outcome(*rows: GridRow) -> GridResult:
    return GridResult(
        name="x", rows=rows, quick=False, mini=False, train_size={"mnist": 1}, epochs={"p": 1}
    )


Lines = Mapping[str, Mapping[float, Sequence[float]]]


def table(metrics: Sequence[str], lines: Lines, more: Mapping[str, float] | None = None) -> Any:
    """Line -> place -> a value of each of the metrics; `more` is the same everywhere."""
    return outcome(
        *(
            row(x, {**dict(zip(metrics, values, strict=True)), **(more or {})}, line=line)
            for line, places in lines.items()
            for x, values in places.items()
        )
    )


def sizes(*values: float, mae: Sequence[float] = ()) -> GridResult:
    """Accuracies with 2, 8, 32, ... numbers, and reconstruction errors."""
    places = zip((2, 8, 32, 128, 512), zip(values, mae or values, strict=True), strict=False)
    metrics = (latent_dim.TEST, latent_dim.MAE if mae else "other")
    return table(metrics, {LINE: dict(places)})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.4, 0.8, 0.9, 0.95, 0.97), "the best is 97.0 % at the largest d, 512: it rises to the"),
        ((0.4, 0.9, 0.968, 0.969, 0.97), "From d = 32 on it is within half a point of the best"),
        ((0.4, 0.9, 0.97, 0.9, 0.8), "it rises, then falls"),
        ((0.4, 0.9, 0.97, 0.9699, 0.9699), "it saturates; no fall is shown"),
    ],
)
def test_latent_dim(values: Sequence[float], said: str) -> None:
    [told] = latent_dim.answer(sizes(*values))
    assert said in told
    assert told.startswith("MNIST autoencoder: 40.0 % at d = 2")


def test_latent_dim_tells_of_the_reconstruction_error() -> None:
    told = latent_dim.answer(sizes(0.4, 0.5, mae=(0.2, 0.1)))
    assert (
        "0.2000 at d = 2, the least is 0.1000 at d = 8; it still falls at the largest d." in told[1]
    )
    told = latent_dim.answer(sizes(0.4, 0.5, 0.5, mae=(0.2, 0.1005, 0.1)))
    assert "from d = 8 on it is within 0.001 of that." in told[1]


def architecture(depth_: int, width: int, x: float, error: float) -> GridRow:
    metrics = {depth.CHOSEN_BY: error, depth.TEST: error + 0.001, "model/parameters": 1000.0}
    changes = {"depth": depth_, "width": width, "latent_dim": x}
    return row(x, metrics, line=f"{depth_} layers, width {width}", changes=changes)


def test_depth_names_the_best_and_what_layers_bring() -> None:
    rows = [
        architecture(layers, 8, x, 0.1 - 0.01 * layers - 0.001 * x)
        for layers in (1, 2, 3)
        for x in (6, 14)
    ]
    told = depth.answer(outcome(*rows))
    assert told[0].startswith("The least error on validation images has 3 layers, width 8, d = 14")
    assert "every larger d has the smaller error." in told[1]
    assert "3 layers have the least, 0.0200 under 1" in told[2]


def test_depth_says_when_more_layers_do_not_help() -> None:
    rows = [architecture(layers, 8, 6, 0.1 + 0.01 * layers) for layers in (1, 2)]
    assert depth.answer(outcome(*rows))[-1].endswith("more layers do not lower it.")


def correlated(*values: tuple[float, float, float]) -> list[str]:
    """What is said of a mean correlation and an effective rank at each size."""
    metrics = (decorrelation.CORRELATION, decorrelation.RANK, decorrelation.SHARE)
    places = {x: (correlation, rank, rank / x) for x, correlation, rank in values}
    return list(decorrelation.answer(table(metrics, {LINE: places})))


def test_decorrelation_is_not_misled_by_the_mean() -> None:
    told = correlated((2, 0.3, 1.9), (128, 0.1, 60.0))
    assert "It is highest at d = 2 and falls to the largest d." in told[0]
    assert "95 % of the coordinates at d = 2, 47 % at d = 128" in told[1]
    assert told[2].startswith("The mean misleads here: it is lower with the larger vector")
    assert "(68 of 128 are redundant)" in told[2]


def test_decorrelation_without_a_difference_in_the_mean() -> None:
    told = correlated((2, 0.3, 1.9), (128, 0.3, 60.0))
    assert told[2].startswith("The mean misleads here: it is not shown to differ")


def test_decorrelation_when_both_agree() -> None:
    told = correlated((2, 0.1, 1.9), (128, 0.3, 20.0))
    assert "It is highest at the largest d." in told[0]
    assert told[2].startswith("Both say the same: the larger vector is more correlated")
    told = correlated((2, 0.3, 1.0), (128, 0.1, 127.0))
    assert told[2] == "The larger vector is not the more redundant one by its effective rank."


WALKS = (interpolation.USUAL, interpolation.GHOST, interpolation.SPARSITY, interpolation.MAE)


def walks(small: Sequence[float], large: Sequence[float]) -> list[str]:
    """What is said where only latents of 128 numbers, not of 2, are read without errors."""
    places = {2: (*small, 0.6), 128: (*large, 0.97)}
    metrics = (*WALKS, interpolation.VALID)
    return list(interpolation.answer(table(metrics, {LINE: places}, {interpolation.ENTROPY: 0.5})))


def test_interpolation_names_the_better_size_and_the_price() -> None:
    told = walks((0.9, 0.1, 1.1, 0.08), (0.3, 0.5, 2.0, 0.02))
    assert "d = 2 interpolates best and d = 128 worst." in told[0]
    assert told[1].endswith("with d = 128 only. Among these d = 128 interpolates best.")
    assert "the more a middle is both digits at once" in told[2]
    assert "leaves the region that the decoder was trained on" in told[3]
    assert told[4].startswith("The cost: ")


def test_interpolation_says_the_opposite_of_the_opposite() -> None:
    told = walks((0.3, 0.5, 2.0, 0.02), (0.9, 0.1, 1.1, 0.08))
    assert "d = 128 interpolates best and d = 2 worst." in told[0]
    assert "more of a cross-fade is not shown" in told[2]
    assert "emptier space with more coordinates is not shown" in told[3]
    assert told[4].startswith("The reconstruction error of the ends is")


def few(frozen: Sequence[float], tuned: Sequence[float]) -> GridResult:
    """Accuracies with 20 and 160 labels over four draws; from scratch always lags."""
    noise = {
        few_labels.FROZEN: [0.002, -0.002, 0.001, -0.001],
        few_labels.TUNED: [-0.001, 0.001, 0.002, -0.002],
        few_labels.SCRATCH: [0.0, 0.0, 0.0, 0.0],
    }
    means = {few_labels.FROZEN: frozen, few_labels.TUNED: tuned, few_labels.SCRATCH: (0.2, 0.3)}
    accuracies = {
        mode: {
            str(count): [mean + one for one in noise[mode]]
            for count, mean in zip((20, 160), values, strict=True)
        }
        for mode, values in means.items()
    }
    return outcome(row(8, {}, measured=[{"accuracies": accuracies}]))


@pytest.mark.parametrize(
    ("frozen", "tuned", "said"),
    [
        ((0.8, 0.9), (0.5, 0.6), "With every number of labels frozen is ahead."),
        (
            (0.8, 0.9),
            (0.5, 0.95),
            "With 20 labels frozen is ahead; from 160 labels on fine-tuned is ahead.",
        ),
        (
            (0.8, 0.9),
            (0.5, 0.9),
            "from 160 labels on no difference is shown between fine-tuned and frozen.",
        ),
    ],
)
def test_few_labels(frozen: Sequence[float], tuned: Sequence[float], said: str) -> None:
    told = few_labels.answer(few(frozen, tuned))
    assert said in told[0]
    first = "every d with 20 labels" if tuned[1] > 0.6 else "every d with 20 labels; every d with"
    assert f"Frozen is shown to be ahead of fine-tuned at {first}" in told[1]
    where = "at every d with 160 labels." if tuned[1] > frozen[1] else "nowhere."
    assert told[1].endswith(f"Fine-tuned is shown to be ahead of frozen {where}")
    assert "The least of all is 2" in told[-1] and "from scratch, 20 labels" in told[-1]


def test_pca_names_who_is_ahead_where() -> None:
    errors = {
        pca.PCA: {2: 0.14, 8: 0.09, 20: 0.05},
        pca.CONNECTED: {2: 0.15, 8: 0.08, 20: 0.06},
        pca.CONVOLUTIONAL: {2: 0.1, 8: 0.05, 20: 0.03},
    }
    lines = {n: {x: (e, 1 - 5 * e) for x, e in each.items()} for n, each in errors.items()}
    told = pca.answer(table((pca.TEST, pca.EXPLAINED), lines))
    assert "convolutional autoencoder has a test error of 0.1000 against PCA's 0.1400" in told[0]
    assert told[0].endswith("below PCA at every d.")
    assert "below PCA at d = 8, not at d = 2, 20" in told[1]
    assert "PCA needs d = 20 for the error of the convolutional autoencoder at d = 8." in told[3]
    assert told[4] == (
        "By the absolute and by the squared error the convolutional one is ahead at the end."
    )
    assert "farthest below the chord" in told[5]
    assert "PCA explains 75 % of the variance at d = 20; 90 % takes more." in told[6]


def test_pca_says_when_absolute_and_squared_error_disagree() -> None:
    lines = {
        pca.PCA: {2: (0.12, 0.2), 20: (0.07, 0.67)},
        pca.CONNECTED: {2: (0.12, 0.2), 20: (0.047, 0.74)},
        pca.CONVOLUTIONAL: {2: (0.12, 0.2), 20: (0.058, 0.8)},
    }
    told = pca.answer(table((pca.TEST, pca.EXPLAINED), lines))
    assert told[4] == (
        "At d = 20 the fully connected one has the smaller absolute error and the convolutional "
        "one explains more of the variance, which goes by squares: the errors of the fully "
        "connected one are fewer and larger."
    )


def test_a_knee_is_where_the_curve_bends() -> None:
    bent = [row(x, {"m": y}) for x, y in ((2, 1.0), (4, 0.3), (6, 0.25), (8, 0.2))]
    assert pca.knee(bent, "m") == 4


def sampled(**values: tuple[float, float, float]) -> list[str]:
    """What is said of the Frechet distance, emptiness and error of each line with d = 16."""
    more = {vae.CONFIDENCE: 0.9, vae.KL: 12.0, "real/confidence": 0.97, "real/frechet": 1.0}
    lines = {getattr(vae, name): {16.0: each} for name, each in values.items()}
    return list(vae.answer(table((vae.FRECHET, vae.EMPTY, vae.MAE), lines, more)))


def test_vae_says_whose_samples_are_digits_and_why() -> None:
    told = sampled(VARIATIONAL=(20, 1.0, 0.06), PLAIN=(20, 1.1, 0.03), TEXTBOOK=(90, 1.8, 0.04))
    assert told[0] == (
        "d = 16: decoded draws of N(0, I) are 20.0 (variational), 20.0 (plain) and 90.0 (fully "
        "connected) away from real digits by the Frechet distance in a classifier's latent; "
        "two sets of real digits are 1.0 apart. The variational one's samples are nearer to "
        "digits than those of: fully connected. The variational one's samples are not shown to "
        "differ from those of: plain."
    )
    assert "and 0.90 (fully connected); on real digits 0.97." in told[1]
    assert "1.00 (variational), 1.10 (plain) and 1.80 (fully connected); the larger" in told[2]
    assert told[2].endswith("only the KL term asks for the whole distribution.")
    assert "0.0600 (variational), 0.0300 (plain) and" in told[3] and "12.0 nats" in told[3]


def test_vae_says_the_opposite_of_the_opposite() -> None:
    told = sampled(VARIATIONAL=(90, 1.8, 0.03), PLAIN=(20, 1.0, 0.06))
    assert told[0].endswith("samples are farther from digits than those of: plain.")
    assert told[2].endswith(
        "coordinates of mean 0 and variance 1 (plain) is not shown at this size."
    )


def encoded(**accuracies: Sequence[float]) -> list[str]:
    """What is said of each shape with 25,000 and 400,000 weights, on MNIST."""
    lines = {
        f"MNIST {getattr(encoders, name)}": {25_000: values[:1], 400_000: values[1:]}
        for name, values in accuracies.items()
    }
    return list(encoders.answer(table((encoders.TEST,), lines)))


def test_encoders_say_what_convolution_geometry_and_depth_bring() -> None:
    told = encoded(
        CONVOLUTIONAL=(0.98, 0.99),
        ONE_LAYER=(0.95, 0.97),
        SHUFFLED=(0.90, 0.955),
        SHALLOW=(0.92, 0.96),
        DEEP=(0.93, 0.96),
    )
    assert told[0] == (
        "MNIST: the convolutional encoder against the MLP with one, points of accuracy: "
        "+6.0 with 25,000 weights, +3.0 with 400,000 weights."
    )
    assert "25,000 weights in convolutions reach 98.0 %, 2.0 points more than the best" in told[1]
    assert (
        "has 95.5 %: that costs it 3.5 points and leaves it 0.5 points behind the MLP." in told[2]
    )
    assert "+1.0 with 25,000 weights, +0.0 with 400,000 weights (not shown over" in told[3]
    assert "three convolution layers against one, points of accuracy: +3.0 with" in told[4]


def test_encoders_say_the_opposite_of_the_opposite() -> None:
    told = encoded(
        CONVOLUTIONAL=(0.90, 0.92), SHUFFLED=(0.93, 0.98), SHALLOW=(0.95, 0.96), DEEP=(0.93, 0.94)
    )
    assert "-5.0 with 25,000 weights, -4.0 with 400,000 weights." in told[0]
    assert "reach 90.0 %, 6.0 points less than the best MLP, which has 400,000." in told[1]
    assert "that brings it 6.0 points and leaves it 2.0 points still ahead of the MLP." in told[2]
    assert len(told) == 4


@pytest.mark.parametrize("quick", [False, True])
def test_encoders_of_one_budget_have_equally_many_weights(quick: bool) -> None:
    """Counted in the networks that are really trained."""
    grid = encoders.points(quick)
    budgets = encoders.QUICK if quick else encoders.WEIGHTS
    assert len(grid) == 2 * len(encoders.SHAPES) * len(budgets) - 1  # see the next test
    for point in grid:
        pipeline = load_pipeline(point.pipeline)
        with torch.device("meta"):
            method: Any = pipeline.builder()(
                {**pipeline.defaults, **point.changes}, DATASETS[pipeline.dataset]
            )
        assert parameter_count(method.encoder) == pytest.approx(point.x, rel=encoders.TOLERANCE)


def test_a_budget_that_no_width_meets_is_left_out() -> None:
    assert encoders.width_for(25_000, "cifar", depth=1, block="strided") is None
    lines = {point.line: point.x for point in reversed(encoders.points(False))}
    assert lines["CIFAR-10 CNN, 1 layer"] == 100_000  # its first
    assert lines["CIFAR-10 CNN, 3 layers"] == 25_000


def descended(curves: Mapping[str, Sequence[Sequence[float]]]) -> list[str]:
    """What is said of each pair of averages with two rates, and their loss curves."""
    rows = [
        row(
            rate,
            {averaging.LOSS: curve[-1]},
            line=averaging.line_of("mnist_autoencoder", name),
            measured=[{averaging.CURVE: list(curve)}] * 3,
        )
        for name, pair in curves.items()
        for rate, curve in zip((0.001, 0.01), pair, strict=True)
    ]
    return list(averaging.answer(outcome(*rows)))


def test_averaging_measures_the_whole_curve_and_its_end() -> None:
    kept: Any = SimpleNamespace(curves=[{averaging.LOSS: loss, "epoch": 1} for loss in (3.0, 2.0)])
    images: Any = None
    measured = averaging.measure(kept, images, quick=False)
    assert measured == {averaging.CURVE: [3.0, 2.0], averaging.LOSS: 2.0}


def test_averaging_compares_each_at_its_best_rate() -> None:
    told = descended(
        {
            averaging.ADAM: ((8.0, 4.0, 2.0, 1.0), (9.0, 9.0, 9.0, 9.0)),
            averaging.BOTH: ((9.0, 9.0, 9.0, 9.0), (6.0, 5.0, 4.0, 4.0)),
        }
    )
    assert told[0].endswith(
        "ends at 1 with Adam (rate 0.001), 4 with both plain (rate 0.01), each at its best rate."
    )
    assert told[1] == (
        "mnist_autoencoder: both plain ends at 4.00 times Adam's loss. Adam is there after epoch "
        "2 of 4; in the second half of the epochs its loss falls by 20 %, Adam's by 75 %."
    )


def test_averaging_says_when_plain_means_do_as_well() -> None:
    curves = {averaging.ADAM: ((2.0, 1.0),) * 2, "squares plain": ((2.0, 0.5), (2.0, 2.0))}
    told = descended(curves)
    assert "squares plain ends no higher than Adam, at 0.50 times its loss." in told[1]

"""Predicts any configuration from recorded curves: the stand-in for training.

After Eggensperger et al. (2015), "Efficient Benchmarking of Hyperparameter Optimizers via
Surrogates": a regression model of the recorded results takes the place of training, so that whole
searches run in seconds. Here it is a Gaussian process on the curves (all epochs share its kernel)
and one on the logarithm of the seconds. What a seed changes is drawn from the configurations that
were recorded with two.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import GroupKFold

from benchmarks.record_curves import CHANCE
from search.spaces.pipeline import Pipeline
from search.spaces.space import key

FLOOR, CEILING = 0.02, 0.999  # accuracies are modelled as logits
FOLDS = 10

Params = Mapping[str, Any]


class Surrogate:
    """A pipeline's curves and costs anywhere in its space.

    Args:
        space: the pipeline's.
        recorded: lines of `record_curves.py`.

    Attributes:
        epochs: of a whole curve.
        noise: (pairs, epochs) by how much the logits of one configuration's two seeds differ, over
            the square root of 2; one that the Gaussian process reads from the curves, where
            nothing was recorded twice.
    """

    def __init__(
        self, space: Mapping[str, BaseDistribution], recorded: Sequence[Mapping[str, Any]]
    ) -> None:
        self._space = dict(space)
        self.epochs = int(recorded[0]["epochs"])
        first: dict[str, Any] = {}
        pairs = []
        for line in recorded:
            earlier = first.setdefault(key(line["params"]), line)
            if earlier is not line:
                pairs.append((self._whole(earlier["values"]), self._whole(line["values"])))
        points = self._encode([line["params"] for line in recorded])
        curves = np.array([self._whole(line["values"]) for line in recorded])
        seconds = [[line["epoch_seconds"], line["measuring_seconds"]] for line in recorded]
        self._curves = _fit(points, _logit(curves))
        self._seconds = _fit(points, np.log(np.maximum(seconds, 1e-3)))
        if pairs:
            one, other = (_logit(np.array(seeds)) for seeds in zip(*pairs, strict=True))
            self.noise = (one - other) / math.sqrt(2)
        else:
            level = math.sqrt(float(self._curves.kernel_.k2.noise_level))
            self.noise = level * np.asarray(self._curves._y_train_std)[None]

    def curve(self, params: Params, luck: np.random.Generator | None = None) -> list[float]:
        """Validation accuracy after each epoch: of the mean seed, or of one that `luck` draws."""
        logits = self._curves.predict(self._encode([params]))[0]
        if luck:
            logits = logits + luck.choice([-1, 1]) * luck.choice(self.noise)
        return [float(value) for value in _accuracy(logits)]

    def seconds(self, params: Params) -> tuple[float, float]:
        """Seconds of one epoch's training, and of one measurement, on one thread."""
        training, measuring = np.exp(self._seconds.predict(self._encode([params]))[0])
        return float(training), float(measuring)

    def _whole(self, values: Sequence[float]) -> list[float]:
        return [*values, *[CHANCE] * (self.epochs - len(values))]

    def _encode(self, params: Sequence[Params]) -> np.ndarray:
        """One column for a number, from 0 to 1 over its range; one for each choice."""
        return np.array(
            [[x for n, d in self._space.items() for x in _axis(d, p[n])] for p in params]
        )


def as_recorded(pipeline: Pipeline, recorded: Sequence[Mapping[str, Any]]) -> Pipeline:
    """The pipeline with the space and the defaults that it had when its curves were recorded.

    The curves do not know a parameter or a choice that the pipeline got since then.
    """
    seen = [line["params"] for line in recorded]
    space: dict[str, BaseDistribution] = {}
    for name, distribution in pipeline.space.items():
        if not all(name in params for params in seen):
            continue
        if isinstance(distribution, CategoricalDistribution):
            chosen = {params[name] for params in seen}
            distribution = CategoricalDistribution([c for c in distribution.choices if c in chosen])
        space[name] = distribution
    defaults = next(line["params"] for line in recorded if line["number"] == 0)
    return replace(pipeline, space=space, defaults=defaults)


def trust(
    space: Mapping[str, BaseDistribution], recorded: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
    """How well curves are predicted that the model does not know, by final accuracies.

    Returns `rank`, the rank correlation, with a bootstrap interval `low` to `high`; the mean
    `error`; `ceiling`, the rank correlation of two seeds of the same configurations, where some
    were recorded twice.
    """
    groups = [key(line["params"]) for line in recorded]  # both seeds are held out together
    both = np.empty((2, len(recorded)))  # measured and predicted
    for fold, held in GroupKFold(FOLDS).split(recorded, groups=groups):
        model = Surrogate(space, [recorded[i] for i in fold])
        for i in held:
            both[0, i] = model._whole(recorded[i]["values"])[-1]
            both[1, i] = model.curve(recorded[i]["params"])[-1]
    draws = np.random.default_rng(0).integers(0, len(recorded), (1000, len(recorded)))
    low, high = np.percentile([_rank(both[:, draw]) for draw in draws], [2.5, 97.5])
    seeds = [
        both[0, [i for i, group in enumerate(groups) if group == each]]
        for each in sorted(set(groups))
        if groups.count(each) == 2
    ]
    ceiling = {"ceiling": _rank(np.array(seeds).T)} if seeds else {}
    return {
        "rank": _rank(both),
        "low": float(low),
        "high": float(high),
        "error": float(np.abs(both[0] - both[1]).mean()),
        **ceiling,
    }


def _rank(pair: np.ndarray) -> float:
    return float(spearmanr(*pair).statistic)


def _axis(distribution: BaseDistribution, value: Any) -> list[float]:
    if isinstance(distribution, CategoricalDistribution):
        return [float(value == choice) for choice in distribution.choices]
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    if getattr(distribution, "log", False):
        low, high, value = math.log(low), math.log(high), math.log(value)
    return [(value - low) / (high - low)]


def _fit(points: np.ndarray, values: np.ndarray) -> GaussianProcessRegressor:
    scales = np.ones(points.shape[1])
    kernel = ConstantKernel(1.0) * Matern(scales, (0.1, 100.0), nu=2.5) + WhiteKernel(0.1)
    process = GaussianProcessRegressor(
        kernel, normalize_y=True, n_restarts_optimizer=2, random_state=0
    )
    with warnings.catch_warnings():
        # A parameter that does not matter runs into the end of its length scale's range.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(points, values)


def _logit(accuracy: np.ndarray) -> np.ndarray:
    clipped = np.clip(accuracy, FLOOR, CEILING)
    return np.log(clipped / (1 - clipped))


def _accuracy(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))

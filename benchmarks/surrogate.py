"""Predicts any configuration from recorded curves: the stand-in for training.

After Eggensperger et al. (2015), "Efficient Benchmarking of Hyperparameter Optimizers via
Surrogates": a regression model of the recorded results takes the place of training, so that whole
searches run in seconds. Here it is a Gaussian process on the curves (all epochs share its kernel)
and one on the logarithm of the seconds.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import KFold

from benchmarks.record_curves import CHANCE
from search.spaces.pipeline import Pipeline

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
        noise: standard deviation of a configuration's logit from one seed to another, as the
            Gaussian process reads it from the recorded curves.
    """

    def __init__(
        self, space: Mapping[str, BaseDistribution], recorded: Sequence[Mapping[str, Any]]
    ) -> None:
        self._space = dict(space)
        self.epochs = int(recorded[0]["epochs"])
        points = self._encode([line["params"] for line in recorded])
        curves = np.array([self._whole(line["values"]) for line in recorded])
        seconds = [[line["epoch_seconds"], line["measuring_seconds"]] for line in recorded]
        self._curves = _fit(points, _logit(curves))
        self._seconds = _fit(points, np.log(np.maximum(seconds, 1e-3)))
        self.noise = math.sqrt(float(self._curves.kernel_.k2.noise_level)) * float(
            self._curves._y_train_std[-1]
        )

    def curve(self, params: Params, draw: float = 0.0) -> list[float]:
        """Validation accuracy after each epoch.

        Args:
            draw: of a standard normal distribution: how lucky the seed is.
        """
        mean = self._curves.predict(self._encode([params]))[0]
        return [float(value) for value in _accuracy(mean + self.noise * draw)]

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
) -> tuple[float, float]:
    """Cross-validated: (rank correlation of final accuracies, mean error in accuracy)."""
    from scipy.stats import spearmanr

    truth, predicted = [], []
    for fold, held in KFold(FOLDS, shuffle=True, random_state=0).split(recorded):
        model = Surrogate(space, [recorded[i] for i in fold])
        for i in held:
            truth.append(model._whole(recorded[i]["values"])[-1])
            predicted.append(model.curve(recorded[i]["params"])[-1])
    error = float(np.abs(np.subtract(truth, predicted)).mean())
    return float(spearmanr(truth, predicted).statistic), error


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

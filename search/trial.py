"""One configuration, trained and measured once. Knows nothing of Ray, Optuna or MLflow."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models import parameter_count
from search import recipes
from search.pipeline import Scalar, load_pipeline
from trainers.data import DATASETS, TrainingData
from trainers.evaluation import evaluate
from trainers.loop import DeviceImages, fit
from trainers.precision import Precision


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """All that a worker receives, JSON-able, and enough to train the trial again.

    Attributes:
        trial_id: unique across studies and machines.
        number: the trial's number in its study.
        study, pipeline: names.
        params: the flat hyperparameters.
        seed: of the weights, the order, the views, the dropout and the classifier.
        epochs: the full budget.
        rungs: the epochs after which everything is measured; the last one always is.
        precision: number format of the products.
        device: `cpu` or `cuda`.
        threads: of torch, on a CPU.
    """

    trial_id: str
    number: int
    study: str
    pipeline: str
    params: Mapping[str, Scalar]
    seed: int
    epochs: int
    rungs: tuple[int, ...] = ()
    precision: Precision = "float32"
    device: str = "cpu"
    threads: int = 1

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {**dataclasses.asdict(self), "rungs": list(self.rungs)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrialConfig:
        """The inverse of `to_json`; an unknown key is a TypeError."""
        return cls(**{**values, "rungs": tuple(values["rungs"])})


@dataclass(frozen=True, kw_only=True)
class TrialImages:
    """A trial's data on its device: train and validation, never test."""

    train: DeviceImages
    valid: DeviceImages

    @classmethod
    def load(cls, data: TrainingData, device: str) -> TrialImages:
        """Once per process; on a CPU the images stay where they are."""
        where = torch.device(device)
        return cls(
            train=DeviceImages.load(data.train, where), valid=DeviceImages.load(data.valid, where)
        )


class Trial:
    """A trial under way: iterate `epochs()`, then take `best_weights`.

    Attributes:
        best_weights: name -> tensor on the CPU, of the epoch with the best `valid/accuracy`:
            the method's under `method.`, the classifier's under `classifier.`.
    """

    def __init__(self, config: TrialConfig, images: TrialImages) -> None:
        self.config = config
        self.images = images
        self.best_weights: dict[str, Tensor] = {}
        self._pipeline = load_pipeline(config.pipeline)
        self._spec = DATASETS[self._pipeline.dataset]
        torch.manual_seed(config.seed)
        method = self._pipeline.build(config.params, self._spec)
        assert isinstance(method, nn.Module)
        self.method = method.to(
            config.device,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )

    def epochs(self) -> Iterator[dict[str, float]]:
        """The metrics of each epoch, named as in MLflow.

        Every epoch has `epoch`, `train/loss` and its times. The epochs of `rungs` and the last
        have the validation metrics, where a method with a classifier of its own, which costs
        little to measure, has `valid/accuracy` in every epoch.

        Raises:
            NonFiniteLoss, ArithmeticError: the training diverged.
        """
        config = self.config
        best = float("-inf")
        # With a classifier of its own a method is measured by one pass over the validation
        # images; the others would have to train one each time.
        jointly = self.method.classifier is not None
        for result in fit(
            self.method,
            self.images.train,
            recipes.optimisation(config.params),
            epochs=config.epochs,
            seed=config.seed,
            precision=config.precision,
        ):
            metrics = {
                "epoch": result.epoch,
                "train/loss": result.loss,
                "train/lr": result.lr,
                "time/epoch_seconds": result.seconds,
                "time/images_per_second": result.images_per_second,
                "model/parameters": float(parameter_count(self.method)),
            }
            at_rung = result.epoch in config.rungs or result.epoch == config.epochs
            if at_rung or jointly:
                start = time.perf_counter()
                measured = evaluate(
                    self.method,
                    self.images.train,
                    self.images.valid,
                    classes=len(self._spec.classes),
                    seed=config.seed,
                    precision=config.precision,
                    probe=at_rung,
                )
                metrics |= measured.metrics
                value = metrics[self._pipeline.metric]
                if value > best:
                    best = value
                    self.best_weights = _on_cpu(self.method, measured.classifier)
                metrics[f"best/{self._pipeline.metric}"] = best
                metrics["time/evaluation_seconds"] = time.perf_counter() - start
            yield metrics


def _on_cpu(method: nn.Module, classifier: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights; a jointly trained classifier stands under both names once."""
    weights = {
        f"method.{name}": value
        for name, value in method.state_dict().items()
        if not name.startswith("classifier.")
    }
    weights |= {f"classifier.{name}": value for name, value in classifier.state_dict().items()}
    return {
        name: value.detach().to("cpu", copy=True).contiguous() for name, value in weights.items()
    }

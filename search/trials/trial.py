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
from search.pipeline import Pipeline, Scalar, load_pipeline
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
        final: a training for final numbers: the weights of the last epoch are kept, so that
            nothing is chosen on the validation images, and after it all is measured in float32,
            training images included.
        ablation: build the pipeline's ablation in place of the pipeline.
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
    final: bool = False
    ablation: bool = False

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
    """A trial under way: iterate `epochs()`, then take `weights`.

    Between two epochs `state_dict` holds all that is needed to go on in another process. A trial of
    the same configuration that loads it gives the same metrics from there on, times apart.

    Attributes:
        weights: name -> tensor on the CPU, of the epoch with the best `valid/accuracy` (for a
            final training: of the last): the method's under `method.`, the classifier's under
            `classifier.`.
    """

    def __init__(self, config: TrialConfig, images: TrialImages) -> None:
        self.config = config
        self.images = images
        self.weights: dict[str, Tensor] = {}
        self._pipeline = load_pipeline(config.pipeline)
        self._spec = DATASETS[self._pipeline.dataset]
        torch.manual_seed(config.seed)
        method = build_method(config, self._pipeline)
        self.method = method.to(
            config.device,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )
        self._best = float("-inf")
        self._training = fit(
            self.method,
            images.train,
            recipes.optimisation(config.params),
            epochs=config.epochs,
            seed=config.seed,
            precision=config.precision,
        )

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain values alone; write or copy them before the next epoch."""
        return {
            "training": self._training.state_dict(),
            "best": self._best,
            "weights": self.weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after the epoch that `state` was taken at.

        Raises:
            ValueError: it is of another configuration.
        """
        self._training.load_state_dict(state["training"])
        self._best = float(state["best"])
        self.weights = dict(state["weights"])

    def epochs(self) -> Iterator[dict[str, float]]:
        """The metrics of each epoch, named as in MLflow.

        Every epoch has `epoch`, `train/loss` and its times. The epochs of `rungs` and the last
        have the validation metrics, where a method with a classifier of its own, which costs
        little to measure, has `valid/accuracy` in every epoch.

        Raises:
            NonFiniteLoss, ArithmeticError: the training diverged.
        """
        config = self.config
        # With a classifier of its own a method is measured by one pass over the validation
        # images; the others would have to train one each time.
        jointly = self.method.classifier is not None
        for result in self._training:
            metrics = {
                "epoch": result.epoch,
                "train/loss": result.loss,
                "train/lr": result.lr,
                "time/epoch_seconds": result.seconds,
                "time/images_per_second": result.images_per_second,
                "model/parameters": float(parameter_count(self.method)),
            }
            at_end = result.epoch == config.epochs
            at_rung = result.epoch in config.rungs or at_end
            if at_rung or jointly:
                start = time.perf_counter()
                final = config.final and at_end
                measured = evaluate(
                    self.method,
                    self.images.train,
                    self.images.valid,
                    classes=len(self._spec.classes),
                    digits=self._spec.digits,
                    seed=config.seed,
                    precision="float32" if final else config.precision,
                    probe=at_rung,
                    final=final,
                )
                metrics |= measured.metrics
                value = metrics[self._pipeline.metric]
                keep = at_end if config.final else value > self._best
                if keep:
                    self.weights = weights_on_cpu(self.method, measured.classifier)
                self._best = max(self._best, value)
                metrics[f"best/{self._pipeline.metric}"] = self._best
                metrics["time/evaluation_seconds"] = time.perf_counter() - start
            yield metrics


def build_method(config: TrialConfig, pipeline: Pipeline) -> nn.Module:
    """The method that `config` describes, with fresh weights from torch's global seed."""
    build = pipeline.ablation if config.ablation else pipeline.build
    assert build is not None, f"{config.pipeline} has no ablation"
    method = build(config.params, DATASETS[pipeline.dataset])
    assert isinstance(method, nn.Module)
    return method


def weights_on_cpu(method: nn.Module, classifier: nn.Module) -> dict[str, Tensor]:
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

"""One configuration, trained and measured once, without Ray, Optuna or MLflow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models import parameter_count
from search.spaces import builders
from search.spaces.pipeline import OBJECTIVE, Pipeline, pipeline_of
from search.trials.config import TrialConfig
from trainers.data import DatasetSpec, TrainingData
from trainers.evaluation import Evaluation, evaluate, judging_views
from trainers.loop import DeviceImages, fit


@dataclass(frozen=True, kw_only=True)
class TrialImages:
    """A trial's images on its device: training and validation images, never test images."""

    spec: DatasetSpec
    train: DeviceImages
    valid: DeviceImages

    @classmethod
    def load(cls, data: TrainingData, device: str) -> TrialImages:
        """Load the images once per process; on a CPU they are not copied."""
        where = torch.device(device)
        return cls(
            spec=data.spec,
            train=DeviceImages.load(data.train, where),
            valid=DeviceImages.load(data.valid, where),
        )


class Trial:
    """A trial under way: iterate `epochs()`, then take `weights`.

    Between two epochs `state_dict` holds everything that another process needs to go on. A trial of
    the same configuration that loads it gives the same metrics from then on, except times.

    Attributes:
        weights: name -> tensor on the CPU, once the last epoch has ended; the method's matrices and
            filters as float16. The method's names begin with `method.`, those of the classifiers
            with `classifier.` and `linear.`.
    """

    def __init__(self, config: TrialConfig, images: TrialImages) -> None:
        self.config = config
        self.images = images
        self.weights: dict[str, Tensor] = {}
        self._pipeline = pipeline_of(vars(config)).on(images.spec)
        torch.manual_seed(config.seed)
        method = build_method(config, self._pipeline)
        self.method = method.to(
            config.device,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )
        self._training = fit(
            self.method,
            images.train,
            builders.optimisation(config.params),
            epochs=config.epochs,
            seed=config.seed,
            precision=config.precision,
        )

    def state_dict(self) -> dict[str, Any]:
        """The state, as tensors and plain values; write or copy it before the next epoch."""
        return {
            "training": self._training.state_dict(),
            "weights": self.weights,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after the epoch at which `state` was taken.

        Raises:
            ValueError: the state belongs to another configuration.
        """
        self._training.load_state_dict(state["training"])
        self.weights = dict(state["weights"])

    def epochs(self) -> Iterator[dict[str, float]]:
        """Yield the metrics of each epoch, named as in MLflow.

        Every epoch has `epoch`, `train/loss` and its times. The epochs of `rungs` have
        `valid/accuracy` too, and the last one has all metrics. A method with a classifier of its
        own costs little to measure and has `valid/accuracy` in every epoch.

        Raises:
            NonFiniteLoss, ArithmeticError: the training diverged.
        """
        config = self.config
        # A method with a classifier of its own needs one pass over the validation images; any other
        # method would have to train a classifier each time.
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
                if at_end:
                    round_weights(self.method)  # what is measured is what is kept
                measured = evaluate(
                    self.method,
                    self.images.train,
                    self.images.valid,
                    classes=len(self.images.spec.classes),
                    views=judging_views(self.images.spec),
                    seed=config.seed,
                    precision="float32" if final else config.precision,
                    accuracy_only=not at_end,
                    final=final,
                )
                metrics |= measured.metrics
                if at_end:
                    self.weights = weights_on_cpu(self.method, measured)
                    metrics[OBJECTIVE] = metrics[self._pipeline.metric]
                metrics["time/evaluation_seconds"] = time.perf_counter() - start
            yield metrics


def build_method(config: TrialConfig, pipeline: Pipeline) -> nn.Module:
    """The method that `config` describes, with fresh weights from torch's global seed."""
    method: nn.Module = pipeline.method(config.params, ablation=config.ablation)
    return method


@torch.no_grad()
def round_weights(method: nn.Module) -> None:
    """Round matrices and filters to float16, as they are kept; statistics and biases stay.

    Half the space, and a network that is loaded again is the one that was measured. A weight that
    float16 cannot hold becomes infinite, and the measurement says so.
    """
    for tensor in method.state_dict().values():
        if tensor.ndim > 1:
            tensor.copy_(tensor.half())


def weights_on_cpu(method: nn.Module, measured: Evaluation) -> dict[str, Tensor]:
    """A copy of the weights; a jointly trained classifier is stored once, as `classifier.`."""
    parts = {"classifier": measured.classifier, "linear": measured.linear}
    weights = {
        f"method.{name}": value
        for name, value in method.state_dict().items()
        if not name.startswith("classifier.")
    }
    weights |= {
        f"{part}.{name}": value
        for part, head in parts.items()
        if head is not None
        for name, value in head.state_dict().items()
    }
    return {
        name: _narrowed(value.detach()).to("cpu", copy=True).contiguous()
        for name, value in weights.items()
    }


def _narrowed(value: Tensor) -> Tensor:
    """As float16 where that loses nothing."""
    half = value.half()
    return half if value.ndim > 1 and torch.equal(half.to(value.dtype), value) else value

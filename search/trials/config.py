"""A trial's configuration: what Optuna keeps and a worker receives. The module needs no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from search.spaces.pipeline import Scalar

if TYPE_CHECKING:
    from trainers.precision import Precision


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """All that a worker receives: JSON-able, and enough to train the trial again.

    Attributes:
        trial_id: unique across studies and machines.
        number: the trial's number in its study.
        study, pipeline: the names of both.
        params: the flat hyperparameters.
        seed: the seed of the weights, the order, the views, the dropout and the classifier.
        epochs: the full budget.
        rungs: the epochs after which `valid/accuracy` is measured; after the last one, everything.
        precision: number format of the products.
        device: `cpu` or `cuda`.
        threads: torch's threads, on a CPU.
        final: whether the training is for final numbers: the trial then keeps the weights of the
            last epoch, so that the validation images choose nothing, and at the end it measures
            everything in float32, training images included.
        ablation: whether to build the pipeline's ablation in place of the pipeline.
        images: the description of a user's own images; None for the pipeline's own data set.
        source: the text that defines a user's own pipeline; None for a built-in one.
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
    images: Mapping[str, Any] | None = None
    source: str | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {**dataclasses.asdict(self), "rungs": list(self.rungs)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> TrialConfig:
        """The inverse of `to_json`; an unknown key is a TypeError."""
        return cls(**{**values, "rungs": tuple(values["rungs"])})

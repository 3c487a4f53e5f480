"""Plain data on each pipeline: its studies, its champion, its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from analysis.cache import Cache
from models import LatentModel
from search.grids.results import GridResult, GridRow
from search.grids.sweep import Sweep
from search.spaces.goals import GOALS, Goal
from search.spaces.pipeline import Pipeline, pipeline_names
from search.tracking.provenance import TWIN_OF
from trainers import protocol
from trainers.data import DatasetSpec, LabelledImages, TrainingData
from trainers.evaluation import encode
from trainers.loop import DeviceImages

SIX = tuple(
    f"{dataset}_{method}"
    for dataset in ("mnist", "cifar")
    for method in ("autoencoder", "supervised", "contrastive")
)


OF_ANY_IMAGES = tuple(f"image_{method}" for method in ("autoencoder", "supervised", "contrastive"))
BUILT_IN = ("real", "mini")


def every_pipeline() -> list[str]:
    """The six first, then the variants."""
    return list(dict.fromkeys((*SIX, *pipeline_names())))


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial of a study.

    Attributes:
        number, state, run_id: as in MLflow; state is COMPLETE, PRUNED, FAIL or INTERRUPTED.
        value: the last `valid/accuracy`, None if the trial measured none.
        params: hyperparameters, numbers as numbers.
        curve: epoch -> `valid/accuracy`.
        loss: epoch -> `train/loss`.
        seconds: training and evaluation together.
        feasible: whether it keeps its study's limits.
        values: of its study's goals at its end, where these are not the pipeline's.
        front: whether it is on the front of a study with two goals.
    """

    number: int
    state: str
    run_id: str
    value: float | None
    params: Mapping[str, Any]
    curve: Mapping[int, float]
    loss: Mapping[int, float]
    seconds: float
    trial_id: str = ""
    feasible: bool = True
    values: tuple[float, ...] = ()
    front: bool = False


@dataclass(frozen=True, kw_only=True)
class StudyRecord:
    """One search of a pipeline.

    Attributes:
        trials: in the order of their numbers.
        rungs: epochs at which the scheduler stopped trials.
        epochs: the full budget of a trial.
        tags, params: of the study's run: sampler, scheduler, seed, versions, device, ...
        seconds: wall time.
    """

    name: str
    run_id: str
    trials: tuple[TrialRecord, ...]
    rungs: tuple[int, ...]
    epochs: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    seconds: float

    @property
    def twin_of(self) -> str | None:
        """The study that this random search is measured against, if it is one's twin."""
        return self.tags.get(TWIN_OF)

    @property
    def complete(self) -> list[TrialRecord]:
        """The COMPLETE trials that keep all limits, the best first."""
        trials = [t for t in self.trials if t.state == "COMPLETE" and t.value is not None]
        return sorted((t for t in trials if t.feasible), key=lambda t: (-(t.value or 0), t.number))

    @property
    def infeasible(self) -> list[TrialRecord]:
        """The complete trials that are beyond a limit."""
        return [trial for trial in self.trials if not trial.feasible]

    @property
    def goals(self) -> list[Goal]:
        """Its goals, if they are not the pipeline's own."""
        return [Goal.parse(text) for text in self.tags.get(GOALS, "").split()]

    @property
    def front(self) -> list[TrialRecord]:
        """The trials that no other is better than in both goals, the best in the first on top."""
        trials = [trial for trial in self.trials if trial.front]
        largest = bool(trials) and not self.goals[0].minimise
        return sorted(trials, key=lambda trial: trial.values[0], reverse=largest)


def main_study(studies: Sequence[StudyRecord]) -> StudyRecord | None:
    """The study that holds the best complete trial; where none has one, the largest. No twin.

    One with other goals than the pipeline's is taken only where there is no other.
    """
    studies = [study for study in studies if not study.twin_of]
    if complete := [study for study in studies if study.complete]:
        return max(complete, key=lambda one: (not one.goals, one.complete[0].value or 0.0))
    return max(studies, key=lambda one: (not one.goals, len(one.trials)), default=None)


def same(one: object, other: object) -> bool:
    """Whether two values of a hyperparameter are one, given that MLflow holds rounded ones."""
    if isinstance(one, float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-4 * max(abs(one), abs(other))
    return one == other


def scaled(images: np.ndarray) -> np.ndarray:
    """Images, uint8 or float in [0, 1] -> float32 in [0, 1]."""
    return images.astype(np.float32) / np.float32(255 if images.dtype == np.uint8 else 1)


def applied(module: nn.Module, inputs: np.ndarray) -> np.ndarray:
    """(B, ...) -> what `module` makes of them, (B, ...)."""
    with torch.no_grad():
        parts = torch.from_numpy(np.asarray(inputs, dtype=np.float32)).split(1000)
        return torch.cat([module(part) for part in parts]).numpy()


@dataclass(frozen=True, kw_only=True)
class PipelineRecord:
    """A pipeline as the report draws it: its champion, or the best trial where there is none.

    Attributes:
        name, pipeline: what it is.
        final: whether there is a champion with test figures; else the best trial, "not final".
        run_id: of the rerun, or of the best trial.
        cell_run: of the training whose weights are drawn.
        command: as the rerun was called.
        result: the rerun's results.json (rows by seed, comparisons, ...), None if not final.
        info: `params`, `epochs`, `seed`, `cell` (or trial id) of the weights that are drawn.
        model: those weights as a network, on the CPU.
        weights: 16 hex digits that name them.
        split: `test`, or `validation` where nothing is final.
        images: the images of that split, (N, C, H, W) uint8 with (N,) labels.
        data: train and validation images.
        classes: names by label.
        studies: the searches on the same data, oldest first.
    """

    name: str
    pipeline: Pipeline
    final: bool = False
    run_id: str
    cell_run: str = ""
    experiment_id: str = ""
    command: str = ""
    result: Mapping[str, Any] | None = None
    info: Mapping[str, Any]
    model: LatentModel
    weights: str
    split: Literal["test", "validation"] = "validation"
    images: LabelledImages
    data: TrainingData
    studies: tuple[StudyRecord, ...] = ()
    cache: Cache
    stored: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names by label."""
        return self.data.classes

    @property
    def dataset(self) -> str:
        """`mnist`, `cifar`, or the name of a user's own images."""
        return self.data.dataset

    @property
    def method(self) -> str:
        """`autoencoder`, `supervised`, `contrastive`, `masked_autoencoder`, ..."""
        return self.name.partition("_")[2]

    @property
    def called(self) -> str:
        """The method in words: `masked autoencoder`."""
        return self.method.replace("_", " ")

    @cached_property
    def latents(self) -> np.ndarray:
        """(N, D) float32 of `images`: as the rerun stored them, else computed and cached."""
        if "latents" in self.stored:
            return self.stored["latents"]
        return self._encoded(self.images, self.split)

    @cached_property
    def predictions(self) -> np.ndarray:
        """(N,) labels that the classifier gives `images`."""
        if "predictions" in self.stored:
            return self.stored["predictions"].astype(np.int64)
        return self.logits.argmax(1)

    @cached_property
    def logits(self) -> np.ndarray:
        """(N, K) of the classifier on `latents`."""
        return self.classify(self.latents)

    def classify(self, latents: np.ndarray) -> np.ndarray:
        """(B, D) float32 -> (B, K) logits of the classifier."""
        assert self.model.classifier is not None
        return applied(self.model.classifier, latents)

    def train_latents(self, count: int) -> np.ndarray:
        """(count, D) of the first training images, which are in a fixed shuffled order."""
        train = self.data.train
        first = LabelledImages(train.images[:count], train.labels[:count])
        return self._encoded(first, f"train {count}")

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """(B, D) -> (B, C, H, W) float32 in [0, 1]; only for models with a decoder."""
        assert self.model.decoder is not None, f"{self.name} has no decoder"
        return applied(self.model.decoder, latents)

    def encode(self, images: np.ndarray) -> np.ndarray:
        """(B, C, H, W), uint8 or float in [0, 1] -> (B, D)."""
        return applied(self.model.encoder, scaled(images))

    def _encoded(self, images: LabelledImages, what: str) -> np.ndarray:
        def compute() -> dict[str, np.ndarray]:
            loaded = DeviceImages.load(images, torch.device("cpu"))
            return {"latents": encode(self.model.encoder, loaded).numpy()}

        key = {"weights": self.weights, "what": what, "data": self.data.fingerprint}
        return self.cache.get("latents", key, compute)["latents"]


@dataclass(frozen=True, kw_only=True)
class SweepRecord:
    """A finished sweep.

    Attributes:
        name, sweep: what it asks.
        outcome: its numbers.
        run_id: of the sweep's own run.
        load: (row, number of the seed, from 0) -> that training with validation images.
    """

    name: str
    sweep: Sweep
    outcome: GridResult
    run_id: str
    load: Callable[[GridRow, int], PipelineRecord]


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that a report is drawn from.

    Attributes:
        records: by pipeline name, the six first, in a fixed order.
        missing: pipeline -> the command that makes it appear.
        sweeps: the finished ones, in the order of their names.
        unswept: those that are not, unless a report of some pipelines only is wanted.
        data: `real`, `mini`, or the name of a user's own images.
        data_words: the options that name it, for commands.
        seed: of every random choice of the report.
        points: images in each t-SNE.
        embedding: `tsne` or `pca`.
        cache: for what is expensive.
        source: where all of it was read, in words without secrets.
        protocol: version by which all numbers are measured.
        other_protocols: version -> the pipelines that have numbers by it, which are left out.
    """

    records: Mapping[str, PipelineRecord]
    missing: Mapping[str, str]
    sweeps: tuple[SweepRecord, ...] = ()
    unswept: tuple[str, ...] = ()
    data: str
    data_words: tuple[str, ...] = ()
    seed: int
    points: int
    embedding: str
    cache: Cache
    source: str
    protocol: int = protocol.VERSION
    other_protocols: Mapping[int, Sequence[str]] = field(default_factory=dict)

    @property
    def mini(self) -> bool:
        """Whether the data is a stand-in."""
        return self.data == "mini"

    @property
    def expected(self) -> tuple[str, ...]:
        """The pipelines that a whole report has."""
        return SIX if self.data in BUILT_IN else OF_ANY_IMAGES

    @property
    def specs(self) -> dict[str, DatasetSpec]:
        """Data set -> what is known of its images, of those that there are records of."""
        return {record.dataset: record.data.spec for record in self.records.values()}

    def of(self, dataset: str | None = None, method: str | None = None) -> list[PipelineRecord]:
        """The records of a data set, a method, or both."""
        return [
            record
            for record in self.records.values()
            if dataset in (None, record.dataset) and method in (None, record.method)
        ]

"""The results of a rerun: rows of numbers by seed, and the conclusions from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from search.cells.metrics import METRICS, PREDICTIONS, TEST, cell_metrics
from search.cells.statistics import Estimate, accuracy, estimate
from search.cells.store import TrainedCell
from search.finals.comparisons import RIGHT, packed
from search.spaces.pipeline import METRIC, Scalar
from trainers import protocol
from trainers.data import TrainingData

RowKind = Literal["final", "baseline", "ablation"]


@dataclass(frozen=True, kw_only=True)
class ResultRow:
    """One line of the table: the same thing with several seeds.

    Attributes:
        kept: its cells, one a seed.
        uses_labels: whether the encoder's training looked at labels.
        note: what a reader must know beside the numbers.
        promised: what its search had measured of it, None where none did.
    """

    name: str
    kind: RowKind
    kept: tuple[TrainedCell, ...]
    uses_labels: bool
    note: str = ""
    promised: float | None = None

    @property
    def metrics(self) -> dict[str, list[float]]:
        """Metric -> a value a seed; test metrics where the test set was read for all of them."""
        every = [cell_metrics(kept) for kept in self.kept]
        return {
            name: [values[name] for values in every]
            for name in METRICS
            if all(name in values for values in every)
        }

    def estimate(self, metric: str) -> Estimate | None:
        """Mean and interval of a metric, None where it was not measured."""
        values = self.metrics.get(metric)
        if not values:
            return None
        if metric not in PREDICTIONS:
            return estimate(values)
        return accuracy(self.hits(metric))

    def hits(self, metric: str) -> np.ndarray:
        """(seeds, images) bool: which test images each training classified rightly."""
        outputs = [kept.test_outputs() for kept in self.kept]
        return np.stack([one[PREDICTIONS[metric]] == one["labels"] for one in outputs])

    def to_json(self) -> dict[str, Any]:
        """All numbers by seed, and their means."""
        metrics = self.metrics
        tested = all(kept.tested for kept in self.kept)
        return {
            "name": self.name,
            "kind": self.kind,
            "uses_labels": self.uses_labels,
            "note": self.note,
            "promised": self.promised,
            "cells": [kept.cell.id for kept in self.kept],
            "seeds": [kept.cell.seed for kept in self.kept],
            "epochs": self.kept[0].cell.epochs,
            "params": dict(self.kept[0].cell.params),
            "metrics": metrics,
            "means": {
                name: dataclasses.asdict(mean) for name in metrics if (mean := self.estimate(name))
            },
            "test": [kept.test for kept in self.kept] if tested else [],
            RIGHT: packed(self.hits(TEST)) if TEST in metrics else None,
        }


@dataclass(frozen=True, kw_only=True)
class Result:
    """The final numbers of a pipeline.

    Attributes:
        rows: the champion first, then the other candidates, the ablation, the baselines.
        metric: what the search maximised and the champion is chosen by.
        promised: the champion's value of it in its search, None where no search measured it.
        source: where the champion comes from.
        settings: what `--set` changed of the candidates.
        failures: what could not be trained, and why.
        model: the registered model's name and version.
        readings: version of the protocol -> how often the pipeline's reruns read the test set.
    """

    pipeline: str
    experiment: str
    experiment_id: str
    run_id: str
    data: TrainingData
    rows: tuple[ResultRow, ...]
    promised: float | None
    source: str
    metric: str = METRIC
    settings: tuple[str, ...] = ()
    failures: Mapping[str, str]
    model: Mapping[str, str] = field(default_factory=dict)
    readings: Mapping[str, int] = field(default_factory=dict)

    @property
    def champion(self) -> ResultRow:
        """The best by mean validation accuracy."""
        return self.rows[0]

    @property
    def best(self) -> dict[str, Any]:
        """The champion's configuration, as `--config` takes it."""
        cell = self.champion.kept[0].cell
        params = dict[str, Scalar](cell.params)
        return {"pipeline": self.pipeline, "params": params, "epochs": cell.epochs}

    @property
    def optimism(self) -> float | None:
        """The search's accuracy minus that of fresh seeds, both on validation images."""
        mean = self.champion.estimate(self.metric)
        return None if self.promised is None or mean is None else self.promised - mean.mean

    def row(self, name: str) -> ResultRow | None:
        """The row of that name."""
        return next((row for row in self.rows if row.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Everything, plain."""
        return {
            **self.best,
            "experiment": self.experiment,
            "run_id": self.run_id,
            "data": self.data.label,
            "data_fingerprint": self.data.fingerprint,
            "protocol": protocol.VERSION,
            "train_size": len(self.data.train),
            "classes": list(self.data.classes),
            "source": self.source,
            "set": list(self.settings),
            "metric": self.metric,
            "promised": self.promised,
            "optimism": self.optimism,
            "readings": dict(self.readings),
            "rows": [row.to_json() for row in self.rows],
            "failures": dict(self.failures),
            "model": dict(self.model),
            "comparisons": [],  # by_dataset.py fills them in
        }

"""What the plans of a rerun and of a sweep share, and their seeds, which no search has used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.cells.cell import Cell, Kind
from search.cluster.resources import Resources
from search.spaces.pipeline import Scalar, source_of
from trainers.data import TrainingData

FRESH = 0xF12A1  # keeps these seeds apart from those of any search


def final_seeds(base: int, count: int) -> tuple[int, ...]:
    """`count` seeds that no search with the seed `base` has used; more of them begin alike."""
    return tuple(
        int(np.random.SeedSequence([base, FRESH, number]).generate_state(1)[0] >> 1)
        for number in range(count)
    )


@dataclass(frozen=True, kw_only=True)
class CellPlan(ABC):
    """Trainings for numbers, settled.

    Attributes:
        name: of the pipeline or the sweep.
        seeds: fresh ones, the same for every row of the table.
        home: the folder of all stores.
    """

    name: str
    seeds: tuple[int, ...]
    data_dir: str | None
    resources: Resources
    address: str | None
    home: Path
    tracking_uri: str
    quiet: bool

    @property
    @abstractmethod
    def mini(self) -> bool:
        """Whether the data is a stand-in."""

    @property
    @abstractmethod
    def experiment(self) -> str:
        """MLflow's experiment."""

    @property
    @abstractmethod
    def id(self) -> str:
        """Twelve hex digits: equal for equal work, so that what was interrupted is found again."""

    def row(
        self,
        data: TrainingData,
        kind: Kind,
        pipeline: str,
        params: Mapping[str, Scalar],
        epochs: int,
    ) -> list[Cell]:
        """One cell a seed; those of no pipeline take neither its name nor epochs."""
        shared = kind in ("pca", "pixels")
        trained = kind in ("trained", "ablation")
        return [
            Cell(
                kind=kind,
                dataset=data.dataset,
                data=data.fingerprint,
                train_size=len(data.train),
                seed=seed,
                pipeline="" if shared else pipeline,
                params=dict(params),
                epochs=0 if shared else epochs,
                device=self.resources.device * trained,
                precision=self.resources.precision * trained,
                images=data.description,
                source=source_of(pipeline),
            )
            for seed in self.seeds
        ]

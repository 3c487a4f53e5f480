"""The definition of a sweep, and the loading of one by its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from search.spaces.pipeline import METRIC, Scalar, nearest

if TYPE_CHECKING:
    from search.cells.store import TrainedCell
    from search.grids.results import GridResult
    from search.trials.trial import TrialImages

    Measure = Callable[[TrainedCell, TrialImages, bool], Mapping[str, Any]]

FOLDER = Path(__file__).resolve().parents[1] / "sweeps"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One configuration of a grid.

    Attributes:
        line: which line of the figure it is on, in words.
        x: where on that line.
        changes: over the pipeline's defaults.
        kind: `trained`, or `pca`: principal components of the pipeline's data set, of whose
            parameters only `latent_dim` counts.
    """

    line: str
    x: float
    pipeline: str
    changes: Mapping[str, Scalar] = field(default_factory=dict)
    kind: Literal["trained", "pca"] = "trained"


def by_latent_size(lines: Mapping[str, str], sizes: Sequence[int]) -> list[Point]:
    """A line for each name of a line and its pipeline; the latent size varies along it."""
    return [
        Point(line=line, x=size, pipeline=pipeline, changes={"latent_dim": size})
        for line, pipeline in lines.items()
        for size in sizes
    ]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much a sweep trains where no option says otherwise.

    Attributes:
        seeds: trainings of each point.
        epochs: of each training; None for the pipeline's own.
        train_size: training images; None for all.
    """

    seeds: int
    epochs: int | None = None
    train_size: int | None = None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A fixed grid, what is measured on it, and what it answers.

    Attributes:
        title: of its part of the report.
        question: in one or two sentences.
        points: whether quick -> the grid.
        x: the axis in words.
        metrics: what is drawn against `x`; test metrics are there once the grid is finished.
        answer: sentences, computed from the numbers alone.
        full, quick: what is trained.
        measure: (cell, train and validation images, whether quick) -> JSON-able values, of which
            numbers become metrics. None: what every training reports is enough.
        measured_images: training images that `measure` passes through the network, for the
            forecast; whether quick -> their number.
        measure_version: raise it when `measure` changes, so that cells are measured again.
    """

    title: str
    question: str
    points: Callable[[bool], Sequence[Point]]
    x: str
    answer: Callable[[GridResult], list[str]]
    log_x: bool = False
    metrics: tuple[str, ...] = (METRIC,)
    full: Budget = field(default_factory=lambda: Budget(seeds=3))
    quick: Budget = field(default_factory=lambda: Budget(seeds=2, epochs=2, train_size=3000))
    measure: Measure | None = None
    measured_images: Callable[[bool], int] = lambda quick: 0
    measure_version: int = 1


def sweep_names() -> list[str]:
    """The names of all sweeps, from the files' names alone: nothing is imported."""
    return sorted(p.stem for p in FOLDER.glob("*.py") if not p.stem.startswith("_"))


def load_sweep(name: str) -> Sweep:
    """The sweep of that name.

    Raises:
        KeyError: there is none; the message names the nearest.
    """
    if name not in sweep_names():
        raise KeyError(f"no sweep {name!r}{nearest(name, sweep_names())}")
    sweep = importlib.import_module(f"search.sweeps.{name}").SWEEP
    assert isinstance(sweep, Sweep)
    return sweep


def sweep_experiment(name: str, *, mini: bool) -> str:
    """MLflow's experiment; stand-in data has one of its own."""
    return f"sweep_{name}" + "-mini" * mini

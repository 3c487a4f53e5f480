"""Cells that nobody trains: a random frozen encoder, PCA, raw pixels."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import IO, Any

import torch

from models import parameter_count
from search.cells.cell import Cell
from search.cells.store import CellStore, TrainedCell
from search.cells.training import facts
from search.cli import output
from search.cluster.resources import Resources, cpu_count
from search.spaces.pipeline import LATENT_DIM
from search.spaces.rebuild import untrained
from search.trials.process import peak_memory_gib, reset_peak_memory
from search.trials.trial import TrialImages, weights_on_cpu
from trainers.baselines import fit_pca
from trainers.data import TrainingData
from trainers.evaluation import evaluate, judging_views
from trainers.loop import fit_stems


def make_missing(
    cells: Sequence[Cell],
    *,
    cell_store: CellStore,
    data: TrainingData,
    resources: Resources,
    screen: IO[str],
    quiet: bool,
    raise_if_interrupted: Callable[[], None],
) -> None:
    """Measure those of `cells` that are not on the cell_store, here and with all CPUs.

    Args:
        data: train and validation images.
        screen: where progress is told, unless `quiet`.
        raise_if_interrupted: called before each.
    """
    missing = cell_store.missing(cells)
    if not missing:
        return
    torch.set_num_threads(cpu_count())
    images = TrialImages.load(data, resources.driver_device)
    known = {**facts(resources), "threads": torch.get_num_threads()}
    say = output.console(screen, quiet=quiet)
    for number, cell in enumerate(missing, start=1):
        raise_if_interrupted()
        say.print(f"baseline {number}/{len(missing)}: {cell.kind}", style="dim")
        make(cell, cell_store=cell_store, images=images, resources=resources, facts=known)


def make(
    cell: Cell,
    *,
    cell_store: CellStore,
    images: TrialImages,
    resources: Resources,
    facts: dict[str, Any],
) -> TrainedCell:
    """Measure the cell on train and validation images and keep it.

    The seed makes the random encoder's weights and every classifier. All is done in float32 but
    the classifier on pixels, which would take minutes where bfloat16 is the faster.
    """
    device = resources.driver_device
    precision = resources.precision if cell.kind == "pixels" else "float32"
    began = time.perf_counter()
    reset_peak_memory()
    torch.manual_seed(cell.seed)
    if cell.kind == "pca":
        latent_dim = int(cell.params.get("latent_dim", LATENT_DIM))
        method: Any = fit_pca(images.train, latent_dim=latent_dim)
    else:
        method = untrained(cell.to_json()).to(
            device,
            memory_format=torch.channels_last,  # type: ignore[call-overload]
        )
        fit_stems(method, images.train)
    measured = evaluate(
        method,
        images.train,
        images.valid,
        classes=len(images.spec.classes),
        views=judging_views(images.spec),
        seed=cell.seed,
        precision=precision,
        final=True,
    )
    metrics = {
        **measured.metrics,
        "epoch": 0.0,
        "model/parameters": float(parameter_count(method)),
        "time/evaluation_seconds": time.perf_counter() - began,
        "memory/peak_gib": peak_memory_gib(device),
        "timestamp": float(int(time.time() * 1000)),
    }
    return cell_store.keep(
        cell,
        weights=weights_on_cpu(method, measured),
        curves=[metrics],
        facts={**facts, "precision": precision},
    )

"""Runs a sweep's own measure over its trainings, a process a CPU."""

from __future__ import annotations

import json
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import torch

from search.cells.store import TrainedCell
from search.cluster.resources import Resources
from search.files import durable, seals
from search.grids.sweep import load_sweep
from search.trials.trial import TrialImages
from trainers.data import TrainingData, load_training

INTERVAL = 0.5  # seconds between looks at whether to stop

_images: TrialImages | None = None  # of a worker process


def measure_all(
    name: str,
    work: Sequence[tuple[TrainedCell, Path]],
    *,
    quick: bool,
    data: TrainingData,
    resources: Resources,
    stopping: Callable[[], bool],
    done: Callable[[int], None],
) -> None:
    """Measure every training and write what is found into its file.

    Args:
        work: trainings, and where their values go.
        stopping: asked between two of them; what is not begun by then is left.
        done: told how many there are by now.
    """
    if resources.driver_device == "cuda" or len(work) < 2 or resources.cpus < 2:
        images = TrialImages.load(data, resources.driver_device)
        for number, (kept, file) in enumerate(work, start=1):
            if stopping():
                return
            _measure(name, kept, file, quick, images)
            done(number)
        return
    waiting = list(work)
    under_way: set[Future[None]] = set()
    finished = 0
    # Small networks on small batches: two processes do more than two threads.
    with ProcessPoolExecutor(
        resources.cpus,
        # Not forked: torch's threads do not survive that.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_prepare,
        initargs=(data.dataset, data.folder, data.source == "mini", len(data.train)),
    ) as pool:
        while (waiting and not stopping()) or under_way:
            while waiting and len(under_way) < resources.cpus and not stopping():
                kept, file = waiting.pop(0)
                under_way.add(pool.submit(_measure, name, kept, file, quick, None))
            ended, under_way = wait(under_way, timeout=INTERVAL, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()
                finished += 1
                done(finished)


def _prepare(dataset: str, folder: str | None, mini: bool, train_size: int) -> None:
    global _images
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to answer
    torch.set_num_threads(1)
    data = load_training(
        dataset, data_dir=None if mini else folder, mini=mini, train_size=train_size
    )
    _images = TrialImages.load(data, "cpu")


def _measure(
    name: str, kept: TrainedCell, file: Path, quick: bool, images: TrialImages | None
) -> None:
    measure = load_sweep(name).measure
    images = images or _images
    assert measure is not None and images is not None
    values = dict(measure(kept, images, quick))
    durable.write(file, json.dumps(seals.seal(values, {})))

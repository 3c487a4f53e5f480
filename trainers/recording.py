"""Steps recorded as CUDA graphs: one launch in place of the hundreds that a step takes.

Of a small network's step a GPU computes a tenth of the time, and waits for Python the rest.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch

log = logging.getLogger(__name__)

SWITCH = "LATENT_SEARCH_RECORD"  # environment variable: 1 records; off until a GPU has shown it
WARM = 3  # runs before the recording: they choose kernels and allocate what stays

Run = Callable[[], None]


def wanted(device: torch.device) -> bool:
    """Whether steps on `device` are to be recorded."""
    return device.type == "cuda" and os.environ.get(SWITCH) == "1"


class Recorded:
    """Runs as it is at first, every run of which counts; then it is recorded, and replayed.

    Args:
        run: takes and returns nothing; reads and changes tensors at fixed addresses only, and
            reads no number from the device.
        optimizer: the one whose step is in it.
        generators: that it draws from, beside torch's own.
    """

    def __init__(
        self,
        run: Run,
        optimizer: torch.optim.Optimizer,
        generators: Sequence[torch.Generator] = (),
    ) -> None:
        self._run, self._optimizer, self._generators = run, optimizer, generators
        self._call: Run | None = None
        self._warm = 0

    def __call__(self) -> None:
        """One run."""
        if self._call:
            self._call()
        elif self._warm < WARM:
            self._warm += 1
            with _beside():
                self._run()
        else:
            self._call = self._recorded()
            self._call()

    def _recorded(self) -> Run:
        for group in self._optimizer.param_groups:
            if "capturable" in group:
                group["capturable"] = True
        try:
            return record(self._run, self._generators)
        except RuntimeError as error:
            log.warning("a step runs as it is, it cannot be recorded: %s", error)
            return self._run


def record(run: Run, generators: Sequence[torch.Generator]) -> Run:
    """Record what `run` would launch, without running it; returns what launches all of it."""
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # Ray's threads may go on
        run()
    return graph.replay


@contextmanager
def _beside() -> Iterator[None]:
    """On a stream of its own, as torch asks of what is recorded later."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        yield
    torch.cuda.current_stream().wait_stream(stream)

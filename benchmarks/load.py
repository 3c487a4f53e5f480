"""The cost of the search itself for a trial, from the first hundred trials to the last.

    python benchmarks/load.py [--trials 2000] [--sampler tpe] [--quick]

A real search (the command's own path: Ray Tune with reused actors, ASHA, Optuna and MLflow on
SQLite in a temporary folder) whose trials train nothing: each reports a number after every epoch,
for three epochs. Only orchestration is left. Prints by hundred trials the seconds from one
trial's end to the next, where they went in the driver's main thread (`ask`: Optuna proposes;
`tell`: it takes in results and ends; `Ray`: everything else), what a trial's records take in
MLflow's own thread and how many wait there, and the driver's resident memory. Both threads share
an interpreter, so each reading holds some waiting for the other. At the end it counts what the two
stores hold. Resident memory is read from /proc (Linux).
"""

from __future__ import annotations

import functools
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.commands import rows
from benchmarks.fake_trials import EPOCHS, search


@dataclass(frozen=True)
class Point:
    """Where the search stood when a trial ended."""

    at: float  # seconds
    memory: float  # MiB
    waiting: int  # records that MLflow's thread has not written yet
    spent: dict[str, float]  # seconds so far, by name


@dataclass
class Account:
    """Seconds by name, and a point for every trial that ended."""

    spent: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    points: list[Point] = field(default_factory=list)
    _inside: threading.local = field(default_factory=threading.local)

    def timed(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        """`function`, its seconds booked under `name` unless a timed one of its thread called."""

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "busy", False):
                return function(*args, **kwargs)
            self._inside.busy = True
            began = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent[name] += time.perf_counter() - began
                self._inside.busy = False

        return run

    def note(self, waiting: int) -> None:
        """A trial ended."""
        self.points.append(Point(time.perf_counter(), resident_mib(), waiting, dict(self.spent)))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Time the search's parts and note every trial that ends."""
        from search.cluster.searcher import TrialSearcher
        from search.tracking.recorder import Recorder

        parts = [
            (TrialSearcher, "suggest", "ask"),
            (TrialSearcher, "on_trial_result", "tell"),
            (TrialSearcher, "on_trial_complete", "tell"),
            (Recorder, "_start", "MLflow"),
            (Recorder, "_log_epochs", "MLflow"),
            (Recorder, "_end", "MLflow"),
        ]
        ended = Recorder.trial_ended

        def trial_ended(recorder: Recorder, *args: Any) -> None:
            ended(recorder, *args)
            self.note(recorder._queue.qsize())

        with ExitStack() as stack:
            for owner, method, name in parts:
                timed = self.timed(getattr(owner, method), name)
                stack.enter_context(mock.patch.object(owner, method, timed))
            stack.enter_context(mock.patch.object(Recorder, "trial_ended", trial_ended))
            yield


def main(argv: Sequence[str] | None = None) -> None:
    """Search, then print the account."""
    parser = machine.options(__doc__, "60 trials, by ten", trials=2000)
    parser.add_argument("--sampler", default="tpe")
    options = parser.parse_args(argv)
    trials, span = (60, 10) if options.quick else (options.trials, min(100, options.trials // 2))
    where = machine.announce("ray", "optuna", "mlflow")
    print(f"n = {trials} trials of up to {EPOCHS} epochs, one search, {options.sampler}")
    account = Account()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        watching = account.watching()
        whole = search(trials, concurrency=2, sampler=options.sampler, watching=watching)
        table(account.points, span)
        trained = account.points[-1].at - account.points[0].at
        print(f"from the first trial's end to the last's {trained:.1f} s, {whole:.1f} s in all")
        print(stored(folder))
    figures = summary(account.points, span)
    machine.show(f"seconds of one of {span} trials, MiB of the driver", figures)
    machine.keep(options.json, machine=where, figures={"trials": trials, **figures})


def table(points: Sequence[Point], span: int) -> None:
    """A line for every `span` trials that ended, milliseconds a trial."""
    for last in range(span, len(points), span):
        before, now = points[last - span], points[last]
        parts = ("ask", "tell", "MLflow")
        spent = {name: now.spent.get(name, 0.0) - before.spent.get(name, 0.0) for name in parts}
        whole = now.at - before.at
        spent |= {"Ray": whole - spent["ask"] - spent["tell"], "all": whole}
        shown = {name: 1e3 * value / span for name, value in spent.items()}
        machine.show(f"{last:6}", {**shown, "waiting": now.waiting, "MiB": now.memory})


def summary(points: Sequence[Point], span: int) -> dict[str, float]:
    """Seconds of one of the first and of the last trials; the driver's memory in MiB."""
    return {
        "first": (points[span].at - points[0].at) / span,
        "last": (points[-1].at - points[-1 - span].at) / span,
        "memory_early": points[min(2 * span, len(points) - 1)].memory,
        "memory_end": points[-1].memory,
    }


def stored(folder: str) -> str:
    """Count what the two stores hold, by state."""
    lines = []
    for store, state in (("optuna", "state from trials"), ("mlflow", "status from runs")):
        counts = Counter(state for (state,) in rows(folder, f"select {state}", store))
        listed = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        lines.append(f"{store}.db: {listed}")
    return "; ".join(lines)


def resident_mib() -> float:
    """Resident memory of this process now."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return float("nan")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()

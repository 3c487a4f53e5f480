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

import argparse
import functools
import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks import machine
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--concurrency", type=int, default=2)
    machine.add_options(parser, "60 trials, by ten")
    options = parser.parse_args(argv)
    trials, span = (60, 10) if options.quick else (options.trials, min(100, options.trials // 2))
    where = machine.describe("ray", "optuna", "mlflow")
    print(where)
    print(f"n = {trials} trials of up to {EPOCHS} epochs, one search, {options.sampler}")
    account = Account()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        whole = search(
            trials,
            concurrency=options.concurrency,
            sampler=options.sampler,
            watching=account.watching(),
        )
        for line in table(account.points, span):
            print(line)
        trained = account.points[-1].at - account.points[0].at
        print(f"from the first trial's end to the last's {trained:.1f} s, {whole:.1f} s in all")
        print(stored(Path("mlruns")))
    figures = summary(account.points, span)
    print(verdict(figures, span))
    machine.keep(options.json, machine=where, figures={"trials": trials, **figures})


def table(points: Sequence[Point], span: int) -> Iterator[str]:
    """A line for every `span` trials that ended, milliseconds a trial."""
    yield "  trials  ms/trial     ask    tell     Ray   MLflow  waiting  memory MiB"
    for last in range(span, len(points), span):
        before, now = points[last - span], points[last]
        whole = (now.at - before.at) / span * 1e3

        def part(name: str, before: Point = before, now: Point = now) -> float:
            return (now.spent.get(name, 0.0) - before.spent.get(name, 0.0)) / span * 1e3

        ask, tell, mlflow = part("ask"), part("tell"), part("MLflow")
        yield (
            f"{last:8}{whole:10.1f}{ask:8.1f}{tell:8.1f}{whole - ask - tell:8.1f}"
            f"{mlflow:9.1f}{now.waiting:9}{now.memory:12.0f}"
        )


def summary(points: Sequence[Point], span: int) -> dict[str, float]:
    """Seconds of one of the first and of the last trials; the driver's memory in MiB."""
    return {
        "first": (points[span].at - points[0].at) / span,
        "last": (points[-1].at - points[-1 - span].at) / span,
        "memory_early": points[min(2 * span, len(points) - 1)].memory,
        "memory_end": points[-1].memory,
    }


def verdict(figures: dict[str, float], span: int) -> str:
    """The first and the last trials, their ratio, and the memory."""
    first, last = figures["first"], figures["last"]
    return (
        f"first {span} trials {first:.4f} s each, last {span} {last:.4f} s, "
        f"ratio {last / first:.2f}; memory of the driver {figures['memory_early']:.0f} MiB after "
        f"{2 * span} trials, {figures['memory_end']:.0f} MiB at the end"
    )


def stored(home: Path) -> str:
    """Count what the two stores hold, by state."""
    runs = "select status, count(*) from runs group by status"
    trials = "select state, count(*) from trials group by state"
    lines = []
    for name, query in (("optuna.db", trials), ("mlflow.db", runs)):
        with sqlite3.connect(home / name) as store:
            counts = ", ".join(f"{count} {state}" for state, count in store.execute(query))
        lines.append(f"{name}: {counts}")
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

